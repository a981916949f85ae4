"""Audio outputs: ours, which the playout writes to and drops from, and other people's, adapted.

An output of ours is LiveKit's `io.AudioOutput` with four more members (`rate`, `write`, `held`,
`drop`), all synchronous. Anything else that is an `io.AudioOutput` goes through `Adapted`.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from typing import TYPE_CHECKING, Final

import numpy as np
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

    Its position is our own pacing (from its first frame, in real time) until it reports one: a
    report that comes within 0.5 s of a drop amends what was heard. Frames go to it in a leaf task
    of `scope`, since taking one may wait. Mutable state: the queue to it, and the pacing.
    """

    LATE: Final = 0.5

    def __init__(self, sink: io.AudioOutput, scope: Scope, rate: int) -> None:
        self.rate = sink.sample_rate or rate
        self.on_report: Callable[[int], None] = lambda samples: None
        self._sink = sink
        self._scope = scope
        self._queue: asyncio.Queue[tuple[int, memoryview]] = asyncio.Queue()
        self._generation = 0
        self._size = 0
        self._since = 0.0
        self._segment = 0  # samples of the open segment
        self._dropped: tuple[float, int] | None = None  # when, and what we believed was heard
        sink.on("playback_finished", self._reported)
        scope.start("output", self._forward())

    def write(self, pcm: memoryview) -> None:
        now = asyncio.get_running_loop().time()
        if not self.held():
            self._since, self._size = now, 0
        self._size += len(pcm)
        self._segment += len(pcm)
        self._queue.put_nowait((self._generation, pcm))

    def held(self) -> int:
        if not self._size:
            return 0
        now = asyncio.get_running_loop().time()
        return max(0, self._size - int((now - self._since) * self.rate + TOLERANCE))

    def drop(self) -> int:
        dropped = self.held()
        self._generation += 1
        self._dropped = (asyncio.get_running_loop().time(), self._segment - dropped)
        self._size = self._segment = 0
        self._sink.flush()  # a clear alone leaves a sink's segment open
        self._sink.clear_buffer()
        return dropped

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
            samples = np.frombuffer(pcm, np.int16)
            frame = rtc.AudioFrame(samples.tobytes(), self.rate, 1, len(samples))
            try:
                await self._sink.capture_frame(frame)
            except Exception:
                logger.exception("the audio output %s did not take a frame", self._sink.label)

    def _reported(self, event: io.PlaybackFinishedEvent) -> None:
        if self._dropped is None:
            return
        at, believed = self._dropped
        self._dropped = None
        if asyncio.get_running_loop().time() - at <= self.LATE:
            self.on_report(round(event.playback_position * self.rate) - believed)
