"""A form asks, records, reads back, is confirmed or declined; cards leave no trace."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Any

import pytest

from antiphon.beta import workflows as w
from antiphon.llm import FunctionCall, FunctionCallOutput, ToolError
from tests.agent.test_session_nodes import Captions
from tests.agent.workflows.asking import AFTER, TURNS, ask, calls, check, scripted, sentence
from tests.scripted_tools import story

if TYPE_CHECKING:
    from collections.abc import Callable

ASKS, BACK, LAST = (sentence(first) for first in (600, 610, 620))

FORMS = [
    (w.GetNameTask, "name", {"first_name": "Ada"}, w.GetNameResult("Ada")),
    (w.GetEmailTask, "email_address", {"email": "a@b.org"}, w.GetEmailResult("a@b.org")),
    (
        w.GetPhoneNumberTask,
        "phone_number",
        {"phone_number": "555 123 4567"},
        w.GetPhoneNumberResult("5551234567"),
    ),
    (
        w.GetAddressTask,
        "address",
        {"street_address": "1 Low Road", "unit_number": "", "locality": "Ely", "country": "UK"},
        w.GetAddressResult("1 Low Road Ely UK"),
    ),
    (
        w.GetDOBTask,
        "dob",
        {"year": 1990, "month": "1", "day": 15},
        w.GetDOBResult(date(1990, 1, 15)),
    ),
]


@pytest.mark.parametrize(("kind", "tool", "given", "result"), FORMS)
def test_what_is_said_is_read_back_and_confirmed(
    kind: Callable[[], Any], tool: str, given: dict[str, Any], result: object
) -> None:
    steps: list[Any] = [
        [ASKS],
        [calls(f"update_{tool}", **given)],
        [BACK],
        [calls(f"confirm_{tool}")],
    ]
    call, came = ask(lambda call: scripted(kind(), call, steps), TURNS[:3])
    check(call)
    assert came == [result]
    assert story(call)[-1] == f"assistant: {AFTER}"


@pytest.mark.parametrize(("kind", "tool", "given", "result"), FORMS)
def test_without_confirmation_the_first_reading_is_the_result(
    kind: Callable[..., Any], tool: str, given: dict[str, Any], result: object
) -> None:
    steps: list[Any] = [[ASKS], [calls(f"update_{tool}", **given)]]
    call, came = ask(lambda call: scripted(kind(require_confirmation=False), call, steps))
    check(call)
    assert came == [result]


@pytest.mark.parametrize(
    ("kind", "decline"),
    [
        (w.GetNameTask, "decline_name_capture"),
        (w.GetEmailTask, "decline_email_capture"),
        (w.GetPhoneNumberTask, "decline_phone_number_capture"),
        (w.GetAddressTask, "decline_address_capture"),
        (w.GetDOBTask, "decline_dob_capture"),
        (w.GetCardNumberTask, "decline_card_capture"),
    ],
)
def test_a_user_may_decline(kind: Callable[[], Any], decline: str) -> None:
    steps: list[Any] = [[ASKS], [calls(decline, reason="no wish")]]
    call, came = ask(lambda call: scripted(kind(), call, steps))
    check(call)
    assert isinstance(came[0], ToolError)
    assert str(came[0]).startswith("couldn't get the")
    assert "no wish" in came[0].message


def test_a_model_cannot_confirm_for_the_user() -> None:
    email = {"email": "a@b.org"}
    steps: list[Any] = [
        [ASKS],
        [calls("update_email_address", **email), calls("confirm_email_address")],
        [BACK],
        [calls("confirm_email_address")],
    ]
    call, came = ask(lambda call: scripted(w.GetEmailTask(), call, steps), TURNS[:3])
    assert came == [w.GetEmailResult("a@b.org")]
    refused = [i for i in call.session.history.items if isinstance(i, FunctionCallOutput)]
    assert any("Unknown function: confirm_email_address" in i.output for i in refused)


def test_what_cannot_be_is_asked_for_again() -> None:
    steps: list[Any] = [[ASKS], [calls("update_email_address", email="nonsense")], [BACK]]
    steps += [[calls("update_email_address", email="a@b.org")]]
    task: Any = {"require_confirmation": False}
    call, came = ask(lambda call: scripted(w.GetEmailTask(**task), call, steps), TURNS[:3])
    check(call)
    assert came == [w.GetEmailResult("a@b.org")]


def test_a_time_of_birth_may_come_before_the_date() -> None:
    steps: list[Any] = [[ASKS], [calls("update_time", hour=7, minute=30)], [BACK]]
    steps += [[calls("update_dob", year=90, month=1, day=15)]]
    made: Any = {"include_time": True, "require_confirmation": False}
    call, came = ask(lambda call: scripted(w.GetDOBTask(**made), call, steps), TURNS[:3])
    assert came == [w.GetDOBResult(date(1990, 1, 15), time(7, 30))]


CARD = "4111 1111 1111 1111"
ALOUD = "four one one one one one one one one one one one one one one one"


def test_a_card_number_is_in_no_history_event_or_record() -> None:
    steps: list[Any] = [[ASKS], [calls("update_card_number", card_number=CARD)], [BACK]]
    steps += [[calls("confirm_card_number", repeated_card_number=CARD)]]
    told: list[str] = []

    def make(call: Any) -> Any:
        for name in ("user_input_transcribed", "conversation_item_added"):
            call.session.on(name, lambda event: told.append(repr(event)))
        call.session.on("function_tools_executed", lambda event: told.append(repr(event)))
        return scripted(w.GetCardNumberTask(), call, steps)

    call, came = ask(make, ["zaza", f"it is {ALOUD}", CARD])
    assert came == [w.GetCardNumberResult("Visa", "4111111111111111")]
    lines = [record.json() for record in call.session.timeline.records]
    lines += [repr(item) for item in call.session.history.items]
    lines += [repr(item) for item in call.agent.chat_ctx.items] + told
    assert told
    for line in lines:
        assert "4111" not in line
        assert "four one" not in line
        assert "1111" not in line or "call_id" in line.split("1111")[0]
    given = [i for i in call.session.history.items if isinstance(i, FunctionCall)]
    assert any(i.arguments == '{"card_number": "\\u2022"}' for i in given)


def test_live_captions_show_no_number_of_a_card() -> None:
    captions = Captions()

    def make(call: Any) -> Any:
        call.session.output.transcription = captions
        steps: list[Any] = [
            ["Is it four one one two? Please say."],
            [calls("decline_card_capture")],
        ]
        return scripted(w.GetCardNumberTask(), call, steps)

    call, _ = ask(make)
    assert "Is it four one one two? Please say.".split() == call.heard[6:14]
    shown = [segment.split() for segment in captions.segments]
    assert "Is it • • • •? Please say.".split() in shown


def test_a_second_number_that_differs_is_no_confirmation() -> None:
    other = "5555 5555 5555 4444"
    steps: list[Any] = [[ASKS], [calls("update_card_number", card_number=CARD)], [BACK]]
    steps += [[calls("confirm_card_number", repeated_card_number=other)], [LAST]]
    steps += [[calls("confirm_card_number", repeated_card_number=CARD)]]
    call, came = ask(lambda call: scripted(w.GetCardNumberTask(), call, steps), TURNS[:4])
    assert came == [w.GetCardNumberResult("Visa", "4111111111111111")]


def test_a_card_that_has_expired_by_the_sessions_clock_is_refused() -> None:
    steps: list[Any] = [
        [ASKS],
        [calls("update_expiration_date", expiration_month=1, expiration_year=20)],
    ]
    steps += [[BACK], [calls("update_expiration_date", expiration_month=1, expiration_year=99)]]
    made: Any = {"require_confirmation": False}
    call, came = ask(lambda call: scripted(w.GetExpirationDateTask(**made), call, steps), TURNS[:3])
    assert came == [w.GetExpirationDateResult("01/99")]
