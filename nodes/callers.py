"""A caller on the line: recorded sound, spoken frame by frame at the pace of the loop's clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import numpy as np
from livekit import rtc
from livekit.agents import io

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from antiphon.nodes.wav import Samples

RATE: Final = 16_000  # Hz: what the built-in detector and recogniser take as it is
FRAME: Final = 0.02  # seconds


class RecordedCaller(io.AudioInput):
    """A line that is silent but for the recordings it is told to `play`.

    Frame n is given when its last sample would have been spoken, n x 20 ms after the first was
    asked for, however late the frames before it were taken. `on_sound(at, samples)` gets each,
    with the loop time of its first sample.

    Mutable state: how many frames were given, since when, and the recording that is being played.
    """

    def __init__(self, on_sound: Callable[[float, Samples], None] | None = None) -> None:
        super().__init__(label="recorded caller")
        self._on_sound = on_sound
        self._given = 0
        self._since: float | None = None
        self._playing: Iterator[Samples] | None = None
        self._played: asyncio.Future[None] | None = None

    def play(self, recording: Iterable[Samples]) -> asyncio.Future[None]:
        """Speak `recording` (16 kHz, in blocks of 20 ms) from the next frame on, to its end."""
        if self._playing is not None:
            raise RuntimeError("this caller is still speaking")
        self._playing = iter(recording)
        self._played = asyncio.get_running_loop().create_future()
        return self._played

    async def __anext__(self) -> rtc.AudioFrame:
        loop = asyncio.get_running_loop()
        if self._since is None:
            self._since = loop.time()
        began = self._since + self._given * FRAME
        self._given += 1
        wait = self._since + self._given * FRAME - loop.time()
        await asyncio.sleep(max(0.0, wait))
        samples = self._next()
        if samples is None:
            samples = np.zeros(round(RATE * FRAME), np.int16)
        if self._on_sound is not None:
            self._on_sound(began, samples)
        return rtc.AudioFrame(samples.tobytes(), RATE, 1, len(samples))

    def _next(self) -> Samples | None:
        samples = next(self._playing, None) if self._playing is not None else None
        if samples is None:
            self._playing = None
            if self._played is not None and not self._played.done():
                self._played.set_result(None)
        return samples
