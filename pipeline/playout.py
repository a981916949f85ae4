"""The mouth: hands samples to the output a short time ahead and knows which of them were heard.

An output takes samples (`write`), says how many it still holds, and forgets them on demand
(`drop`), all synchronously. There is no other pause: pausing drops and keeps the tail, resuming
writes the tail, cutting drops. So a cut is silent at once, and a pause loses no sample.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from antiphon.pipeline.ledger import Sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.pipeline.ledger import Ledger

AHEAD: Final = 0.4  # seconds written ahead of the listener, at most
AGAIN: Final = 0.15  # seconds left there when more is written
KEPT: Final = 1.0  # seconds of what was heard that are kept: an output may say it was not


class Output(Protocol):
    """Where sound goes. `write` must not block; positions are samples at `rate` per second."""

    @property
    def rate(self) -> int: ...

    def write(self, pcm: memoryview) -> None:
        """Take mono 16-bit samples, to be played after those before them."""

    def held(self) -> int:
        """How many of the written samples have not been played yet."""

    def drop(self) -> int:
        """Forget them at once and say how many they were."""

    def end(self) -> None:
        """A step has been heard to its end; what follows belongs to another."""

    def settled(self, then: Callable[[int], None]) -> None:
        """Call `then` with how many more samples were heard than the last `drop` said.

        At once with 0 where that is exact; an output that only reports later calls it then, or
        after its own time limit.
        """


class Mouth(Enum):
    """What becomes of the samples."""

    OPEN = "open"
    PAUSED = "paused"
    CUT = "cut"


class Playout:
    """Plays one step of a reply. Nothing is written once it is cut, whoever still produces.

    Mutable state: the mouth, the samples written last, the tail kept by a pause.
    """

    def __init__(self, output: Output, ledger: Ledger, on_sound: Callable[[], None]) -> None:
        self.ledger = ledger
        self.state = Mouth.OPEN
        self.sent = 0
        self._output = output
        self._on_sound: Callable[[], None] | None = on_sound  # called once, after the first sample
        self._tail: deque[Sound] = deque()
        self._written: deque[tuple[Sound, int]] = deque()  # the last ones, with the end of each
        self._gate: asyncio.Future[None] | None = None
        self._finally_heard: int | None = None

    @property
    def heard(self) -> int:
        """Samples of this step that have been played."""
        if self._finally_heard is not None:
            return self._finally_heard
        return self.sent - (self._output.held() if self.sent and self.state is Mouth.OPEN else 0)

    @property
    def audible(self) -> bool:
        """Something has been heard, or is being played."""
        return self.sent > 0

    @property
    def sounding(self) -> bool:
        """Something is being played."""
        return self.state is Mouth.OPEN and self.audible

    def pause(self) -> None:
        """Be silent at once and remember where."""
        if self.state is Mouth.OPEN:
            self.state = Mouth.PAUSED
            self._keep_tail()

    def resume(self) -> None:
        """Go on with the very next sample."""
        if self.state is Mouth.PAUSED:
            self.state = Mouth.OPEN
            while self._tail and self.state is Mouth.OPEN and self._ahead() <= AHEAD:
                self._write(self._tail.popleft())  # whoever makes more may still be a while
            self._open_gate()

    def cut(self) -> int:
        """Be silent at once and for good; returns the samples heard."""
        if self._finally_heard is None:
            if self.state is Mouth.OPEN and self.sent:
                self.sent -= self._output.drop()
            self._finally_heard = self.sent
            self.state = Mouth.CUT
            self._tail.clear()
            self._written.clear()
            self._open_gate()
        return self._finally_heard

    def amend(self, samples: int) -> None:
        """An output that reports late says that `samples` more (or fewer) were heard."""
        self.sent = max(0, min(self.ledger.queued, self.sent + samples))
        if self._finally_heard is not None:
            self._finally_heard = self.sent

    async def play(self, sound: Sound) -> None:
        """Write `sound`, when its turn and the mouth allow it."""
        self._tail.append(sound)
        await self._empty_tail()

    async def drain(self) -> None:
        """Wait until everything written has been heard, through any pauses."""
        while True:
            await self._empty_tail()
            if self.state is Mouth.CUT:
                return
            held = self._output.held() if self.sent else 0
            if not held and not self._tail:
                self._output.end()
                return
            await self._rest(held / self._output.rate)

    async def _empty_tail(self) -> None:
        while self._tail:
            if self.state is Mouth.CUT:
                self._tail.clear()
            elif self.state is Mouth.PAUSED:
                await self._rest()
            elif (ahead := self._ahead()) > AHEAD:
                await self._rest(ahead - AGAIN)
            else:
                self._write(self._tail.popleft())

    def _ahead(self) -> float:
        return self._output.held() / self._output.rate if self.sent else 0.0

    def _write(self, sound: Sound) -> None:
        self._output.write(sound.pcm)
        self.sent += len(sound.pcm)
        if len(self._written) > 1:
            old = self.heard - int(KEPT * self._output.rate)
            while self._written and self._written[0][1] <= old:
                self._written.popleft()
        self._written.append((sound, self.sent))
        if self._on_sound is not None:  # told when it is on its way, and may be cut by whom it told
            on_sound, self._on_sound = self._on_sound, None
            on_sound()

    def _keep_tail(self) -> None:
        """Take back what the output had not played, to the sample."""
        if not self.sent:
            return
        self._tail_from(self.sent - self._output.drop())
        self._output.settled(self._move_tail)

    def _move_tail(self, samples: int) -> None:
        """An output that reports late has played `samples` more (or fewer) before the pause."""
        if not samples or self.state is not Mouth.PAUSED:
            return  # whoever cut it meanwhile asks for the report too
        at = max(0, min(self.ledger.queued, self.sent + samples))
        while self.sent < at and self._tail:
            sound = self._tail.popleft()
            self.sent += len(sound.pcm)
            self._written.append((sound, self.sent))
        self._tail_from(min(at, self.sent))

    def _tail_from(self, heard: int) -> None:
        """What was written beyond `heard` samples is to be written again."""
        self.sent = max(heard, min(self.sent, self._first_kept()))
        while self._written and self._written[-1][1] > self.sent:
            sound, end = self._written.pop()
            kept = max(0, len(sound.pcm) - (end - self.sent))
            self._tail.appendleft(Sound(sound.pcm[kept:], sound.mark) if kept else sound)
            if kept:
                self._written.append((Sound(sound.pcm[:kept], sound.mark), self.sent))

    def _first_kept(self) -> int:
        """The position of the first sample that could be played again."""
        if not self._written:
            return self.sent
        sound, end = self._written[0]
        return end - len(sound.pcm)

    async def _rest(self, seconds: float | None = None) -> None:
        """Wait until the mouth opens again or is cut, for `seconds` at most."""
        loop = asyncio.get_running_loop()
        self._gate = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, self._open_gate)
        try:
            await self._gate
        finally:
            self._gate = None
            if timer is not None:
                timer.cancel()

    def _open_gate(self) -> None:
        if self._gate is not None and not self._gate.done():
            self._gate.set_result(None)
