"""Whose words came when: the user's turns as a realtime model hears them.

The model tells the words of a turn when it has them, perhaps after its answer; history has them
where the turn began.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from livekit.agents import llm

KEPT: Final = 20  # turns whose words may still come
SLACK: Final = 0.5  # seconds between two clocks that tell the beginning of a turn
LATE: Final = 5.0  # seconds after its end in which a turn may be named, or its words come


@dataclass(frozen=True, slots=True)
class Words:
    """Said by the user: in which `item` of the model's conversation, and since when (a time of day,
    0 where it is not known)."""

    text: str
    item: str | None = None
    at: float = 0.0
    confidence: float = 1.0

    @classmethod
    def told(cls, event: llm.InputTranscriptionCompleted) -> Words:
        """As the model tells them."""
        sure = 1.0 if event.confidence is None else event.confidence
        return cls(event.transcript, event.item_id, event.turn_started_at or 0.0, sure)


@dataclass(slots=True, eq=False)
class Heard:
    """A turn of the user's, from its first voice on (loop time)."""

    began: float
    each: bool  # the model makes words of each voice in it, not of all when it is over
    ended: float | None = None
    items: list[str] = field(default_factory=list)  # the model's names for it
    owed: int = 1  # transcripts that have not come

    def recent(self, now: float) -> bool:
        """It goes on, or has just ended."""
        return self.ended is None or now < self.ended + LATE


class HeardTurns:
    """Mutable state: the last turns, in order, and the latest one of which words have come."""

    def __init__(self) -> None:
        self._turns: list[Heard] = []
        self._latest = 0.0

    @property
    def open(self) -> Heard | None:
        """The turn that goes on."""
        return self._turns[-1] if self._turns and self._turns[-1].ended is None else None

    def owes(self, now: float) -> bool:
        """Words of a turn may still come."""
        return any(turn.owed and turn.recent(now) for turn in self._turns)

    def voice(self, at: float, *, each: bool) -> None:
        """The user makes a sound: in the turn that is open, or a new one. Words of it may come: of
        `each` for itself, or of all that have been made."""
        if (turn := self.open) is not None:
            turn.owed += 1
        else:
            self._turns.append(Heard(at, each))
            del self._turns[:-KEPT]

    def broken_off(self) -> None:
        """It is over in the middle of a voice: words of that voice may come."""
        if (turn := self.open) is not None:
            turn.owed = max(1, turn.owed)

    def over(self, now: float) -> None:
        """The turn has ended."""
        if (turn := self.open) is not None:
            turn.ended = now

    def lost(self) -> None:
        """Another line is there: of turns that are over no words come any more."""
        self._turns = [turn for turn in self._turns if turn.ended is None]

    def drop(self) -> None:
        """What was heard was no turn."""
        if self.open:
            self._turns.pop()

    def named(self, item: str, now: float) -> None:
        """The model has a name for the turn that has just ended, or is about to; several, where it
        hears several. One that has none by then gets none: the model made nothing of it."""
        recent = [t for t in self._turns if t.recent(now)]
        turn = next((t for t in recent if not t.items), next(iter(recent[-1:]), None))
        if turn is not None:
            turn.items.append(item)

    def of(self, item: str | None, at: float | None = None) -> Heard | None:
        """The turn of which words with that name are, or that went on `at` that time."""
        turns = [t for t in self._turns if item in t.items]
        if not turns and item is not None:
            turns = [t for t in self._turns if not t.items and t.owed]
            if at is not None:  # no words come any more of those before it
                turns = [t for t in turns if t.began <= at + SLACK][-1:]
        return next(iter(turns or self._turns[-1:]), None)

    def worded(self, item: str | None, at: float | None = None) -> float | None:
        """Words have come of that turn; since when it goes on, where that is known."""
        turn = self.of(item, at)
        if turn is None:
            return None
        all_of_it = turn.ended is not None and not turn.each
        turn.owed = 0 if all_of_it else max(0, turn.owed - 1)
        if item is not None and not turn.items:
            turn.items.append(item)
        self._latest = max(self._latest, turn.began)  # words come in the order they were said
        return self._latest
