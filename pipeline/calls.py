"""The tool calls of one step: when each may begin, and that none is left without an answer.

What a tool does to the world decides how sure one must be before it runs. That is its effect, and
`BEGINS` is the whole rule:

| effect | begins | because |
|---|---|---|
| pure | at once, while the reply is still a guess | nobody notices if it was for nothing |
| effect | when the turn is committed | it cannot be taken back by throwing the reply away |
| irrevocable | when what was said before the call has been heard | the user may yet stop it |

A call that has begun is never stopped by a barge-in; one that has not is answered as interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Final, Protocol

from antiphon.pipeline.pace import letters

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.pipeline.source import Source


class Effect(Enum):
    """What running a tool does to the world."""

    PURE = "pure"
    EFFECT = "effect"
    IRREVOCABLE = "irrevocable"


class Moment(IntEnum):
    """How far the reply is that wants a tool; each includes those before it."""

    GUESSED = 0  # a draft: the user's turn may go on
    COMMITTED = 1
    ANNOUNCED = 2  # and what was said before the call has been heard


BEGINS: Final = {
    Effect.PURE: Moment.GUESSED,
    Effect.EFFECT: Moment.COMMITTED,
    Effect.IRREVOCABLE: Moment.ANNOUNCED,
}


@dataclass(frozen=True, slots=True)
class Call:
    """A model wants a tool to run. `what` is for whoever runs it."""

    what: object
    effect: Effect = Effect.EFFECT


class Work(Protocol):
    """Who runs the calls of one step. Synchronous but for `following`, and must not raise."""

    def begin(self, call: Call) -> None: ...

    def refuse(self, call: Call) -> None:
        """Answer a call that will not run, because the reply was interrupted."""

    def abandon(self, *, confirmed: bool) -> None:
        """The reply is over; what runs goes on, unless the reply was only a guess."""

    async def following(self) -> Source | None:
        """Wait until every call is answered, and say what comes next; None: nothing."""


class Calls:
    """The calls of one step. Mutable state: those that wait, the work, once there is any.

    `moment` tells how far the reply is for a call with so many letters said before it.
    """

    def __init__(self, work: Callable[[], Work], moment: Callable[[int], Moment]) -> None:
        self.work: Work | None = None
        self._make_work = work
        self._moment = moment
        self._said = 0  # letters of text so far
        self._waiting: list[tuple[Call, int]] = []

    def said(self, text: str) -> None:
        """The model says this before the calls that follow."""
        self._said += letters(text)

    def add(self, call: Call) -> None:
        if self.work is None:
            self.work = self._make_work()
        self._waiting.append((call, self._said))
        self.advance()

    def advance(self) -> None:
        """Begin whatever may begin now."""
        if self.work is None or not self._waiting:
            return
        held: list[tuple[Call, int]] = []
        waiting, self._waiting = self._waiting, []
        for call, before in waiting:
            if self._moment(before) >= BEGINS[call.effect]:
                self.work.begin(call)
            else:
                held.append((call, before))
        self._waiting = held + self._waiting

    def refuse(self) -> None:
        """What has not begun never will. May be called again."""
        waiting, self._waiting = self._waiting, []
        for call, _ in waiting:
            if self.work is not None:
                self.work.refuse(call)

    def abandon(self, *, confirmed: bool) -> None:
        """The reply is over. May be called again."""
        self.refuse()
        if self.work is not None:
            self.work.abandon(confirmed=confirmed)
