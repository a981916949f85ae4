"""Audio outputs: ours, which the playout writes to and drops from, and other people's, adapted.

An output of ours is LiveKit's `io.AudioOutput` with four more members (`rate`, `write`, `held`,
`drop`), all synchronous. Anything else that is an `io.AudioOutput` goes through `Adapted`.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from typing import TYPE_CHECKING, Final

from livekit import rtc
from livekit.agents import io

from antiphon.pipeline.ledger import TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.outputs")

DEFAULT_RATE: Final = 24_000


class Speaker(io.AudioOutput):
    """An output that plays samples in order and forgets the unplayed ones on demand."""

    def __init__(self, *, label: str, rate: int = DEFAULT_RATE) -> None:
        super().__init__(
            label=label, capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=rate
        )
        self.rate = rate

    @abstractmethod
    def write(self, pcm: memoryview) -> None:
        """Take mono 16-bit samples, to be played after those before them."""

    @abstractmethod
    def held(self) -> int:
        """How many of the written samples have not been played yet."""

    @abstractmethod
    def drop(self) -> int:
        """Forget them at once and say how many they were."""

    def end(self) -> None:
        """A step has been heard to its end; nothing to do for an output that just plays."""

    def settled(self, then: Callable[[int], None]) -> None:
        """Call `then(0)`: what `drop` said was exact."""
        then(0)

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.write(frame.data)

    def flush(self) -> None:
        super().flush()

    def clear_buffer(self) -> None:
        self.drop()


class Paced(Speaker):
    """Plays against the loop's clock: for sound files, tests and the virtual clock.

    `on_played(at, pcm)`, when given, gets every sample really played, with the loop time at which
    the first of them began. Mutable state: what was written and not reported as played yet.
    """

    def __init__(
        self,
        *,
        rate: int = DEFAULT_RATE,
        label: str = "paced",
        on_played: Callable[[float, memoryview], None] | None = None,
    ) -> None:
        super().__init__(label=label, rate=rate)
        self._on_played = on_played
        self._buffer: list[memoryview] = []  # not played when last looked at
        self._size = 0
        self._since = 0.0  # loop time at which the first sample of the buffer begins

    def write(self, pcm: memoryview) -> None:
        self._advance()
        if not self._size:
            self._since = asyncio.get_running_loop().time()
        self._buffer.append(pcm)
        self._size += len(pcm)

    def held(self) -> int:
        self._advance()
        return self._size

    def drop(self) -> int:
        self._advance()
        dropped, self._size = self._size, 0
        self._buffer.clear()
        return dropped

    def _advance(self) -> None:
        """Account for what the clock says has been played."""
        if not self._size:
            return
        now = asyncio.get_running_loop().time()
        passed = int((now - self._since) * self.rate + TOLERANCE)
        left = min(passed, self._size)
        while left > 0:
            pcm = self._buffer.pop(0)
            if len(pcm) > left:
                self._buffer.insert(0, pcm[left:])
                pcm = pcm[:left]
            if self._on_played is not None:
                self._on_played(self._since, pcm)
            left -= len(pcm)
            self._size -= len(pcm)
            self._since += len(pcm) / self.rate


class Adapted:
    """Any `io.AudioOutput` seen as one of ours: avatars, test sinks, a room's own output.

    Its position is our own pacing (from its first frame, in real time) until it reports one by
    `playback_finished`; a report within `LATE` seconds of a drop corrects what was heard. Frames
    go to it in a leaf task of `scope`, since taking one may wait.

    Mutable state: the queue to it, the samples of its open segment and since when they play, and
    who waits for the report of the last drop.
    """

    LATE: Final = 0.5

    def __init__(self, sink: io.AudioOutput, scope: Scope, rate: int) -> None:
        self.rate = sink.sample_rate or rate
        self._sink = sink
        self._queue: asyncio.Queue[tuple[int, memoryview]] = asyncio.Queue()
        self._generation = 0
        self._segment = 0  # samples written to the open segment
        self._burst = 0  # of these, the samples since it last ran dry
        self._since = 0.0  # when that burst began to play
        self._believed: int | None = None  # samples heard of a dropped segment, not reported yet
        self._waiting: list[Callable[[int], None]] = []
        sink.on("playback_finished", self._reported)
        scope.start("output", self._forward())

    def write(self, pcm: memoryview) -> None:
        if not self.held():
            self._since, self._burst = asyncio.get_running_loop().time(), 0
        self._burst += len(pcm)
        self._segment += len(pcm)
        self._queue.put_nowait((self._generation, pcm))

    def held(self) -> int:
        if not self._burst:
            return 0
        passed = asyncio.get_running_loop().time() - self._since
        return max(0, self._burst - int(passed * self.rate + TOLERANCE))

    def drop(self) -> int:
        held = self.held()
        written, self._segment, self._burst = self._segment, 0, 0
        if not written:
            return held  # the segment has ended: its end may still be on its way to the sink
        self._generation += 1
        self._settle(0)
        self._believed = written - held
        self._sink.flush()  # a clear alone leaves a sink's segment open
        self._sink.clear_buffer()
        if self._believed is not None:  # it did not report at once
            asyncio.get_running_loop().call_later(self.LATE, self._settle, 0)
        return held

    def settled(self, then: Callable[[int], None]) -> None:
        """Call `then` with how many samples more were heard than `drop` said, once it is known."""
        if self._believed is None:
            then(0)
        else:
            self._waiting.append(then)

    def end(self) -> None:
        """The step is over: what follows is another segment to the sink."""
        self._queue.put_nowait((self._generation, memoryview(b"")))
        self._segment = 0

    async def _forward(self) -> None:
        while True:
            generation, pcm = await self._queue.get()
            if generation != self._generation:
                continue
            if not len(pcm):
                self._sink.flush()
                continue
            frame = rtc.AudioFrame(pcm.tobytes(), self.rate, 1, len(pcm))
            try:
                await self._sink.capture_frame(frame)
            except Exception:
                logger.exception("the audio output %s did not take a frame", self._sink.label)

    def _reported(self, event: io.PlaybackFinishedEvent) -> None:
        if self._believed is not None:
            self._settle(round(event.playback_position * self.rate) - self._believed)

    def _settle(self, more: int) -> None:
        self._believed = None
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then(more)
