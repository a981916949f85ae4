"""Audio outputs: ours, which the playout writes to and drops from, and other people's, adapted.

An output of ours is LiveKit's `io.AudioOutput` with four more members (`rate`, `write`, `held`,
`drop`), all synchronous. Anything else that is an `io.AudioOutput` goes through `Adapted` (in a
file of its own).
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Final

from livekit.agents import io

from antiphon.pipeline.ledger import TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit import rtc

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
