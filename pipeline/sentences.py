"""Text that streams from a language model, cut into chunks by what the listener hears.

The first chunk goes as soon as it can be said as one: a short sentence, a clause, or the words
before a preposition. After that, a chunk is worth waiting for while sound is queued, because longer
pieces sound better and cost fewer requests; as the sound runs out, less and less is asked of a
place to stop. How much is the table below; where the places are is `sentence_breaks`.

The chunks joined are the text. White space stays at a chunk's end, unless the chunk went before its
white space came. A chunk is chosen when the few words after it are known or nothing has arrived
for a moment, so how a text was split into tokens that came together makes no difference.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from antiphon.pipeline.sentence_breaks import Breaks
from antiphon.pipeline.sentence_ends import HOLD, Grade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from antiphon.pipeline.sentence_breaks import Break

_NO = math.inf

# Smallest chunk in words for each kind of stop (a Chinese or Japanese character is half a word, a
# Thai cluster a quarter), by the seconds that may pass before the listener hears a gap: a row
# holds while slack is at most its first number. Below zero a gap is being heard, and a second of
# it is worse than a clumsy stop. A sentence is never too short once slack is under a second.
OPENING: Final = (0.0, 3.0, 5.0, 12.0, 13.0)
LADDER: Final = (
    #  slack   sentence clause phrase word  any
    (math.inf, (30.0, _NO, _NO, _NO, _NO)),
    (4.0, (15.0, _NO, _NO, _NO, _NO)),
    (2.0, (6.0, 25.0, _NO, _NO, _NO)),
    (1.0, (0.0, 10.0, _NO, _NO, _NO)),
    (0.5, (0.0, 5.0, 10.0, _NO, _NO)),
    (0.2, (0.0, 3.0, 6.0, 12.0, _NO)),
    (0.1, (0.0, 3.0, 5.0, 8.0, 12.0)),
    (0.0, (0.0, 2.0, 4.0, 4.0, 6.0)),
    (-1.0, (0.0, 1.0, 1.0, 1.0, 2.0)),
)
# Words: a chunk is never longer, however much is queued and however long the sentence.
LONGEST: Final = 60.0
# Words: a better stop is preferred when it comes within so many of the first acceptable one.
WITHIN: Final = 4.0

# Seconds. A timer set for the moment a row begins may fire a rounding error before it.
_ROUNDING: Final = 1e-6


class Sentences:
    """Cuts one reply's text; `flush` ends a segment, and no chunk reaches over that end.

    Mutable state: the segments not yet taken, of which the last may be open, and when text came.
    """

    def __init__(self) -> None:
        self._segments: deque[_Segment] = deque()
        self._pushed = -math.inf

    def push(self, text: str, now: float) -> None:
        """Add text that arrived at `now` (seconds, on any clock)."""
        if not text:
            return

        if not self._segments or self._segments[-1].ended_with_words():
            self._segments.append(_Segment())

        self._segments[-1].feed(text)
        self._pushed = now

    def flush(self) -> None:
        """End the segment: all that was pushed may go, whatever the slack."""
        if self._segments:
            self._segments[-1].close()

    def take(self, now: float, slack: float) -> str | None:
        """Return the next chunk if it should be spoken now.

        `slack` is the seconds until the listener would hear a gap if nothing were asked of the
        voice; -inf for the first chunk of a reply.
        """
        if not self._segments:
            return None

        segment = self._segments[0]
        chunk = segment.take(now - self._pushed, slack)
        if not segment.text:
            self._segments.popleft()

        return chunk

    def wait(self, now: float, slack: float) -> float | None:
        """Seconds until `take` gives something although no text arrives; None: it never will."""
        if not self._segments:
            return None

        return self._segments[0].wait(now - self._pushed, slack)


class _Segment:
    """Text between two flushes.

    Mutable state: its breaks, and of the settled ones those worth a look: `_best` holds each that
    is acceptable at more slack than all before it, so the first acceptable break is always there.
    """

    def __init__(self) -> None:
        self._breaks = Breaks()
        self._closed = False
        self._ranked = 0
        self._best: list[tuple[float, int]] = []
        self._opener: int | None = None

    @property
    def text(self) -> str:
        return self._breaks.text

    def ended_with_words(self) -> bool:
        """Whether text that follows is another segment's: this one is closed, and not mute."""
        return self._closed and self._breaks.reach > self._breaks.size

    def feed(self, text: str) -> None:
        self._closed = False
        self._breaks.feed(text)

    def close(self) -> None:
        self._closed = True
        self._breaks.close()

    def take(self, quiet: float, slack: float) -> str | None:
        end = self._choose(quiet, slack)
        if end is None:
            return None

        self._ranked, self._opener = 0, None
        self._best.clear()
        return self._breaks.take(end)

    def wait(self, quiet: float, slack: float) -> float | None:
        if self._closed:
            return 0.0 if self.text else None

        self._rank()
        soonest = math.inf
        index = self._first_settled(slack)
        if index is not None:
            soonest = self._hold(quiet, index)
        elif self._overflows():
            soonest = 0.0
        elif self._best and slack > -math.inf:
            bar, index = self._best[-1]  # the first that falling slack makes acceptable
            soonest = max(slack - bar, self._hold(quiet, index))

        for found in self._breaks.provisional:
            until = _until(slack, self._bar(found, slack))
            soonest = min(soonest, max(until, found.patience - quiet))

        return None if soonest == math.inf else max(soonest, 0.0)

    def _choose(self, quiet: float, slack: float) -> int | None:
        self._rank()
        settled = self._breaks.settled
        index = self._first_settled(slack)
        if index is not None and self._hold(quiet, index) > _ROUNDING:
            return None

        late = self._ripe(quiet)
        if index is not None:
            first, others = settled[index], iter(settled[index + 1 :])
            return self._or_better(first, others, late)

        for number, found in enumerate(late):
            bar = self._bar(found, slack)
            if bar > -math.inf and slack <= bar + _ROUNDING:
                return self._or_better(found, iter(late[number + 1 :]), [])

        if self._overflows():
            return self._best_that_fits()

        return self._breaks.begin + len(self.text) if self._closed and self.text else None

    def _or_better(self, first: Break, settled: Iterator[Break], late: list[Break]) -> int:
        chosen, limit = first, self._limit(first)
        for others in (settled, iter(late)):
            for other in others:
                if other.size > limit:
                    break

                if other.grade > chosen.grade or other.grade is Grade.SENTENCE:
                    chosen = other

        left = self._breaks.reach - chosen.size
        if self._closed and (left <= 0 or (self._breaks.reach <= limit)):
            return self._breaks.begin + len(self.text)

        return chosen.end

    def _rank(self) -> None:
        self._breaks.settle()
        settled = self._breaks.settled
        while self._ranked < len(settled) and not self._overflows():
            found = settled[self._ranked]
            bar = _bar(found.grade, found.size - self._breaks.size)
            if bar > (self._best[-1][0] if self._best else -math.inf):
                self._best.append((bar, self._ranked))

            if self._opener is None and self._opens(found):
                self._opener = self._ranked

            self._ranked += 1

    def _first_settled(self, slack: float) -> int | None:
        if slack == -math.inf:
            return self._opener

        return next((index for bar, index in self._best if slack <= bar + _ROUNDING), None)

    def _overflows(self) -> bool:
        settled = self._breaks.settled
        return self._ranked > 0 and settled[self._ranked - 1].size - self._breaks.size > LONGEST

    def _best_that_fits(self) -> int:
        fitting = self._breaks.settled[: max(1, self._ranked - 1)]
        spoken = [found for found in fitting if found.size > self._breaks.size]
        return max(spoken or fitting[-1:], key=lambda found: (found.grade, found.end)).end

    def _hold(self, quiet: float, index: int) -> float:
        settled = self._breaks.settled
        if self._closed or settled[-1].size > self._limit(settled[index]):
            return 0.0

        return max(HOLD - quiet, 0.0)

    def _limit(self, found: Break) -> float:
        # Two words are no chunk to be proud of: if more has come, look further for a better one.
        further = 2 * WITHIN if found.grade < Grade.PHRASE else 0.0
        return max(found.size + WITHIN, self._breaks.size + further)

    def _ripe(self, quiet: float) -> list[Break]:
        return [b for b in self._breaks.provisional if quiet >= b.patience - _ROUNDING]

    def _opens(self, found: Break) -> bool:
        size = found.size - self._breaks.size
        grade = found.grade
        return grade > Grade.NEVER and size > 0 and size >= OPENING[Grade.SENTENCE - grade]

    def _bar(self, found: Break, slack: float) -> float:
        if slack == -math.inf:
            return math.inf if self._opens(found) else -math.inf

        return _bar(found.grade, found.size - self._breaks.size)


def _until(slack: float, bar: float) -> float:
    """Seconds until slack has fallen to `bar`; infinite when no slack is low enough."""
    if bar == -math.inf:
        return math.inf

    return 0.0 if slack <= bar else slack - bar


def _bar(grade: Grade, size: float) -> float:
    """Find the slack at or below which a chunk of `size` words may end with `grade`."""
    if grade is Grade.NEVER or size <= 0:
        return -math.inf

    column = Grade.SENTENCE - grade
    for slack, row in LADDER:
        if size >= row[column]:
            return slack

    return -math.inf
