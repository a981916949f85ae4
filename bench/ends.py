"""The two ends of every case: a caller in real time, and sinks that play in real time and count."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
from livekit.agents import io

from antiphon.nodes.outputs import Paced
from bench.models import COUGH, OUT_RATE, SILENT, VOICED

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit import rtc


class Beat:
    """One timer for all callers of a loop: the harness must be light beside what it measures.

    Mutable state: when the beat began, how often it has beaten, and who waits for the next one.
    """

    _of: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, Beat]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.count = 0
        self._start: float | None = None
        self._waiting: list[asyncio.Future[None]] = []

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Beat:
        if loop not in cls._of:
            cls._of[loop] = cls()
        return cls._of[loop]

    def next(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        if self._start is None:
            self._start = loop.time() - self.count * 0.02
            loop.call_later(0.02, self._beat, loop)
        waiter = loop.create_future()
        self._waiting.append(waiter)
        return waiter

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self.count += 1
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
        if waiting and self._start is not None:
            loop.call_at(self._start + (self.count + 1) * 0.02, self._beat, loop)
        else:
            self._start = None


class Caller(io.AudioInput):
    """20 ms frames by the loop's clock, silent unless `speak` was called.

    `on_silent` is called when the first silent frame after speech is handed over.
    """

    def __init__(self) -> None:
        super().__init__(label="caller")
        self.on_silent: Callable[[], None] = lambda: None
        self._voiced = 0
        self._frame = VOICED
        self._number = 0  # of the beat at which the last frame was due
        self._sounding = False

    def speak(self, seconds: float) -> None:
        self._voiced, self._frame = round(seconds / 0.02), VOICED

    def cough(self, seconds: float) -> None:
        """Make a sound that no recogniser takes for a word."""
        self._voiced, self._frame = round(seconds / 0.02), COUGH

    async def __anext__(self) -> rtc.AudioFrame:
        loop = asyncio.get_running_loop()
        beat = Beat.of(loop)
        self._number = self._number + 1 if self._number else beat.count + 1
        while beat.count < self._number:  # who comes late catches up
            await beat.next(loop)
        if self._voiced:
            self._voiced -= 1
            self._sounding = True
            return self._frame
        if self._sounding:
            self._sounding = False
            self.on_silent()
        return SILENT


class Counting:
    """What both sinks note: when samples came, and the first and last that were played."""

    def __init__(self) -> None:
        self.writes: list[float] = []
        self.played: list[tuple[float, np.ndarray[tuple[int], np.dtype[np.int16]]]] = []
        self.on_first: Callable[[], None] = lambda: None

    def note(self) -> None:
        self.writes.append(asyncio.get_running_loop().time())
        if len(self.writes) == 1:
            self.on_first()

    def clear(self) -> None:
        self.writes.clear()
        self.played.clear()

    def heard(self) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        """Every sample played, in order."""
        parts = [samples for _, samples in self.played]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def gap(self) -> float:
        """The longest silence between two pieces played, in seconds."""
        longest, end = 0.0, math.nan
        for at, samples in self.played:
            if not math.isnan(end):
                longest = max(longest, at - end)
            end = at + len(samples) / OUT_RATE
        return longest


class OurSink(Paced):
    """Ours: written to and dropped from."""

    def __init__(self) -> None:
        super().__init__(rate=OUT_RATE, on_played=self._played)
        self.count = Counting()

    def write(self, pcm: memoryview) -> None:
        self.count.note()
        super().write(pcm)

    def idle(self) -> bool:
        """Everything written has been played."""
        return self.held() == 0

    def _played(self, at: float, pcm: memoryview) -> None:
        self.count.played.append((at, np.frombuffer(pcm, np.int16)))


class TheirSink(io.AudioOutput):
    """An `io.AudioOutput` that plays in real time, can pause, and reports exact positions."""

    def __init__(self) -> None:
        capabilities = io.AudioOutputCapabilities(pause=True)
        super().__init__(label="sink", capabilities=capabilities, sample_rate=OUT_RATE)
        self.count = Counting()
        self._queue: deque[np.ndarray[tuple[int], np.dtype[np.int16]]] = deque()
        self._ended = False
        self._paused = False
        self._position = 0.0
        self._free_at = 0.0
        self._ready = asyncio.Event()
        self._player: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.count.note()
        self._ended = False
        self._queue.append(np.frombuffer(bytes(frame.data), np.int16))
        if self._player is None:
            self._player = asyncio.create_task(self._play())
        self._ready.set()

    def flush(self) -> None:
        super().flush()
        self._ended = True
        self._ready.set()

    def clear_buffer(self) -> None:
        if self._player is not None and (self._queue or self._ended or self._position):
            self._queue.clear()
            self._finish(interrupted=True)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._ready.set()

    def idle(self) -> bool:
        """Everything captured has been played."""
        return not self._queue and not self._position

    async def aclose(self) -> None:
        if self._player is not None:
            self._player.cancel()
            await asyncio.wait([self._player])

    def _finish(self, *, interrupted: bool) -> None:
        position, self._position, self._ended = self._position, 0.0, False
        self.on_playback_finished(playback_position=position, interrupted=interrupted)

    async def _play(self) -> None:
        """One 20 ms piece at a time, as a device would."""
        loop = asyncio.get_running_loop()
        while True:
            if self._paused or not self._queue:
                if self._ended and not self._queue and not self._paused and self._position:
                    self._finish(interrupted=False)
                self._ready.clear()
                await self._ready.wait()
                continue
            piece = self._queue.popleft()
            if not self._position:
                self.on_playback_started(created_at=loop.time())
            begin = max(loop.time(), self._free_at)
            self.count.played.append((begin, piece))
            self._position += len(piece) / OUT_RATE
            self._free_at = begin + len(piece) / OUT_RATE
            await asyncio.sleep(max(0.0, self._free_at - loop.time()))
