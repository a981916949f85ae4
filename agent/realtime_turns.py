"""Whose words came when: the user's turns as a realtime model hears them.

The model tells the words of a turn when it has them, perhaps after its answer; history has them
where the turn began.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KEPT: Final = 20  # turns whose words may still come
SLACK: Final = 0.5  # seconds between two clocks that tell the beginning of a turn


@dataclass(slots=True, eq=False)
class Heard:
    """A turn of the user's, from its first voice on (loop time)."""

    began: float
    open: bool = True
    item: str | None = None  # the model's name for it
    worded: bool = False


class HeardTurns:
    """Mutable state: the last turns, in order, and the latest one of which words have come."""

    def __init__(self) -> None:
        self._turns: list[Heard] = []
        self._latest = 0.0

    def voice(self, at: float) -> None:
        """The user makes a sound: in the turn that is open, or a new one."""
        if not (self._turns and self._turns[-1].open):
            self._turns.append(Heard(at))
            del self._turns[:-KEPT]

    def over(self) -> None:
        """The turn has ended."""
        if self._turns:
            self._turns[-1].open = False

    def lost(self) -> None:
        """Another line is there: of turns that are over no words come any more."""
        self._turns = [turn for turn in self._turns if turn.open]

    def drop(self) -> None:
        """What was heard was no turn."""
        if self._turns and self._turns[-1].open:
            self._turns.pop()

    def named(self, item: str) -> None:
        """The model has a name for the turn that has just ended, or is about to."""
        turn = next((t for t in self._turns if t.item is None), None)
        if turn is not None:
            turn.item = item

    def worded(self, item: str | None, at: float | None = None) -> float | None:
        """Words have come, of the turn of that name, or the one that went on `at` that time; since
        when it goes on, where that is known."""
        turns = [t for t in self._turns if item is not None and t.item == item]
        if not turns and item is not None:
            turns = [t for t in self._turns if t.item is None and not t.worded]
            if at is not None:  # no words come any more of those before it
                turns = [t for t in turns if t.began <= at + SLACK][-1:]
        turn = next(iter(turns or self._turns[-1:]), None)
        if turn is None:
            return None
        turn.worded = True
        if turn.item is None:
            turn.item = item
        self._latest = max(self._latest, turn.began)  # words come in the order they were said
        return self._latest
