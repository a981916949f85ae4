"""A credit card: its number, when it expires, its security code, and whose it is.

What is said while one of these tasks listens is kept out of histories, events and records as far as
it is numbers; a number that the user gives before, to another agent, is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import NOT_GIVEN, NotGivenOr
from livekit.agents import llm as llms

from antiphon.task import AgentTask
from antiphon.workflows import readings
from antiphon.workflows.form import REASON, Entry, Field, Form, FormOptions, FormTask, Given, tool
from antiphon.workflows.group import TaskGroup
from antiphon.workflows.tasks import GetNameTask

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from antiphon.context import RunContext

__all__ = [
    "CardCaptureDeclinedError",
    "CardCollectionRestartError",
    "GetCardNumberResult",
    "GetCardNumberTask",
    "GetCreditCardResult",
    "GetCreditCardTask",
    "GetExpirationDateResult",
    "GetExpirationDateTask",
    "GetSecurityCodeResult",
    "GetSecurityCodeTask",
]

DECLINE: Final = "decline_card_capture"
SPOKEN: Final = (
    "It is transcribed speech, digit by digit: write the words for digits as digits (oh is 0), and "
    "leave all else out."
)


@dataclass
class GetCardNumberResult:
    """The number in digits, and who issued it: "Visa", "Mastercard" …, else "Other"."""

    issuer: str
    card_number: str


@dataclass
class GetSecurityCodeResult:
    """Three or four digits."""

    security_code: str


@dataclass
class GetExpirationDateResult:
    """`date` is MM/YY."""

    date: str


@dataclass
class GetCreditCardResult:
    """All of a card; the date is MM/YY."""

    cardholder_name: str
    issuer: str
    card_number: str
    security_code: str
    expiration_date: str

    def __repr__(self) -> str:
        """Without what must not be in a log."""
        return f"GetCreditCardResult({self.issuer}, …{self.card_number[-4:]})"


class CardCaptureDeclinedError(llms.ToolError):
    """The user does not want to give a card."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"couldn't get the card details: {reason}")
        self._reason = reason

    @property
    def reason(self) -> str:
        return self._reason


class CardCollectionRestartError(llms.ToolError):
    """The user wants to begin again, with another card perhaps."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"starting over: {reason}")
        self._reason = reason

    @property
    def reason(self) -> str:
        return self._reason


class CardTask(FormTask[Any]):
    """One part of a card: it may be declined, or all parts begun again."""

    def _leaving(self, flags: llms.ToolFlag) -> list[llms.Tool | llms.Toolset]:
        async def decline(ctx: RunContext[Any], given: Given) -> None:
            self._finish(CardCaptureDeclinedError(given["reason"]))

        async def restart(ctx: RunContext[Any], given: Given) -> None:
            self._finish(CardCollectionRestartError(given["reason"]))

        refuses = "The user does not want to give their card."
        again = "The user wants to begin again with the card, or to give another one."
        return [
            tool(DECLINE, refuses, (REASON,), decline, flags),
            tool("restart_card_collection", again, (REASON,), restart, flags),
        ]


NUMBER: Final = Form(
    noun="the number of the user's credit card",
    tool="card_number",
    fields=(Field("card_number", "All its digits; call only when all of them were said."),),
    decline=DECLINE,
    spoken=SPOKEN,
    secret=True,
)


class GetCardNumberTask(CardTask):
    """Asks for a card's number, twice; its check digit must be right."""

    def __init__(self, **options: Unpack[FormOptions]) -> None:
        super().__init__(NUMBER, **options)

    def _read(self, given: Given) -> Entry[GetCardNumberResult]:
        number = readings.card_number(given["card_number"])
        return Entry(GetCardNumberResult(readings.issuer(number), number), "", "")


CODE: Final = Form(
    noun="the card's security code",
    tool="security_code",
    fields=(Field("security_code", "Its three or four digits, leading zeros too."),),
    decline=DECLINE,
    spoken=SPOKEN,
    secret=True,
)


class GetSecurityCodeTask(CardTask):
    """Asks for a card's security code, twice."""

    def __init__(self, **options: Unpack[FormOptions]) -> None:
        super().__init__(CODE, **options)

    def _read(self, given: Given) -> Entry[GetSecurityCodeResult]:
        return Entry(GetSecurityCodeResult(readings.security_code(given["security_code"])), "", "")


EXPIRY: Final = Form(
    noun="the date on which the card expires",
    tool="expiration_date",
    fields=(
        Field("expiration_month", "1 to 12.", "integer"),
        Field("expiration_year", "Its last two digits, 35 for 2035.", "integer"),
    ),
    decline=DECLINE,
    spoken="It is transcribed speech: the month may be named, the date said as digits (oh four).",
    secret=True,
)


class GetExpirationDateTask(CardTask):
    """Asks when a card expires, twice; by the session's clock it must hold still."""

    def __init__(self, **options: Unpack[FormOptions]) -> None:
        super().__init__(EXPIRY, **options)

    def _read(self, given: Given) -> Entry[GetExpirationDateResult]:
        month, year = given["expiration_month"], given["expiration_year"]
        return Entry(GetExpirationDateResult(readings.expiry(month, year, self._today)), "", "")


HOLDER: Final = (
    "It is the name on the card that you ask for: say so when you ask, since the card may be "
    "somebody else's."
)


class GetCreditCardTask(AgentTask[GetCreditCardResult]):
    """Asks for all of a card, part by part, from the beginning again when the user wants that."""

    _answers_user = False  # its parts do

    def __init__(
        self,
        *,
        chat_ctx: NotGivenOr[llms.ChatContext] = NOT_GIVEN,
        require_confirmation: NotGivenOr[bool] = NOT_GIVEN,
        extra_instructions: str = "",
        **agent: Any,
    ) -> None:
        given = {name: value for name, value in agent.items() if value is not NOT_GIVEN}
        super().__init__(instructions="Get a credit card.", chat_ctx=chat_ctx, **given)
        self._require_confirmation = require_confirmation
        self._extra_instructions = extra_instructions

    async def on_enter(self) -> None:
        while not self.done():
            try:
                parts = (await self._parts()).task_results
            except CardCollectionRestartError:
                continue
            except llms.ToolError as error:
                if not self.done():
                    self.complete(error)
                return
            card, name = parts["card_number_task"], parts["cardholder_name_task"]
            self.complete(
                GetCreditCardResult(
                    cardholder_name=f"{name.first_name} {name.last_name}",
                    issuer=card.issuer,
                    card_number=card.card_number,
                    security_code=parts["security_code_task"].security_code,
                    expiration_date=parts["expiration_date_task"].date,
                )
            )

    def _parts(self) -> TaskGroup:
        """The name comes last: what a user says first, asked for a card, is its number."""
        options: FormOptions = {
            "require_confirmation": self._require_confirmation,
            "extra_instructions": self._extra_instructions,
        }
        holder: FormOptions = {
            "require_confirmation": self._require_confirmation,
            "extra_instructions": f"{self._extra_instructions}\n{HOLDER}".strip(),
            "require_explicit_ask": True,
        }
        group = TaskGroup(chat_ctx=self.chat_ctx)
        number, expiry = "card_number_task", "expiration_date_task"
        group.add(lambda: GetCardNumberTask(**options), id=number, description="The card's number")
        group.add(
            lambda: GetExpirationDateTask(**options), id=expiry, description="When the card expires"
        )
        group.add(
            lambda: GetSecurityCodeTask(**options),
            id="security_code_task",
            description="The card's security code",
        )
        return group.add(
            lambda: GetNameTask(last_name=True, **holder),
            id="cardholder_name_task",
            description="The name on the card",
        )
