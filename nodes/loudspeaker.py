"""The agent's voice at a loudspeaker: what waits, what is on its way, and what has been heard.

The device takes a block every 10 ms, in a thread of its own, and says when its first sample will
be heard. What it has taken cannot be called back and is heard a moment later, so `drop` counts it
as heard, and `held` does not until it is.
"""

from __future__ import annotations

import threading
from collections import deque
from math import ceil
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import soxr
from numpy.typing import NDArray

from antiphon.nodes.outputs import DEFAULT_RATE, Speaker
from antiphon.pipeline.ledger import TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable

Samples: TypeAlias = NDArray[np.int16]

FADE: Final = 0.004  # seconds: a cut that takes no time is heard as a click


class Loudspeaker(Speaker):
    """Plays at whatever rate the device takes (`plays_at`); its own rate never changes.

    `clock` gives the loop's time and is asked by the device's thread as well.

    Mutable state, behind a lock: what waits (at the device's rate), the end of a sound that was
    cut, what the device took last, and when the last sample that it took is heard.
    """

    def __init__(self, clock: Callable[[], float], *, rate: int = DEFAULT_RATE) -> None:
        super().__init__(label="loudspeaker", rate=rate)
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[Samples] = deque()
        self._size = 0
        self._fading: Samples = np.empty(0, np.int16)
        self._rising = False  # the next sound goes on after a cut
        self._written = 0  # samples at our own rate, since there was nothing held
        self._taken = 0  # samples of sound the device took since it had none
        self._latest: Samples = np.empty(0, np.int16)  # sound of the last block
        self._until = 0.0  # loop time at which the last of them has been heard
        self._device_rate = rate
        self._resampler: soxr.ResampleStream | None = None

    def plays_at(self, rate: int) -> None:
        """The device takes samples at `rate`; what waits is converted."""
        with self._lock:
            if rate == self._device_rate:
                return
            waiting = list(self._waiting)
            if waiting:
                every = soxr.resample(np.concatenate(waiting), self._device_rate, rate, "HQ")
                self._waiting = deque([every])
                self._size = len(every)
            self._fading = self._latest = self._fading[:0]
            self._taken = round(self._taken * rate / self._device_rate)
            self._device_rate = rate
            self._resampler = (
                # The one quality that keeps nothing back: the end of a reply would be missing.
                soxr.ResampleStream(self.rate, rate, 1, dtype="int16", quality="QQ")
                if rate != self.rate
                else None
            )

    def write(self, pcm: memoryview) -> None:
        samples: Samples = np.frombuffer(pcm, np.int16)
        with self._lock:
            if not self._size and not self._on_its_way():
                self._written = 0
            self._written += len(samples)
            if self._resampler is not None:
                samples = self._resampler.resample_chunk(samples)
            if self._rising:
                self._rising = False
                samples = _ramped(samples, self._fade, up=True)
            self._waiting.append(samples)
            self._size += len(samples)

    def held(self) -> int:
        with self._lock:
            return self._at_own_rate(self._size + self._on_its_way())

    def drop(self) -> int:
        with self._lock:
            dropped = self._at_own_rate(self._size)
            if self._size:
                self._fading = _ramped(self._next(min(self._fade, self._size)), self._fade)
            self._waiting.clear()
            self._size = self._taken = self._written = 0
            self._latest = self._latest[:0]
            self._rising = True
            return dropped

    def fill(self, block: Samples, at: float) -> bool:
        """Fill the device's next block, which is heard from loop time `at` on; in its thread.

        Returns whether there is any sound in it.
        """
        with self._lock:
            faded = min(len(self._fading), len(block))
            block[:faded] = self._fading[:faded]
            self._fading = self._fading[faded:]
            sounding = min(self._size, len(block) - faded)
            ends = faded + sounding
            self._latest = self._latest[:0]
            if sounding:
                if not self._on_its_way():
                    self._taken = 0
                self._latest = block[faded:ends] = self._next(sounding)
                self._size -= sounding
                self._taken += sounding
                self._until = at + ends / self._device_rate
            block[ends:] = 0
            return ends > 0

    def again(self) -> None:
        """The device has lost the block before; in its thread. It is played once more."""
        with self._lock:
            if lost := len(self._latest):
                self._waiting.appendleft(self._latest)
                self._size += lost
                self._taken -= min(lost, self._taken)
                self._until -= lost / self._device_rate
                self._latest = self._latest[:0]

    @property
    def _fade(self) -> int:
        return round(FADE * self._device_rate)

    def _on_its_way(self) -> int:
        """Samples that the device took and that have not been heard yet."""
        left = ceil((self._until - self._clock()) * self._device_rate - TOLERANCE)
        return max(0, min(left, self._taken))

    def _next(self, samples: int) -> Samples:
        """Take that many from the front of what waits."""
        taken: list[Samples] = []
        while samples:
            piece = self._waiting.popleft()
            if len(piece) > samples:
                self._waiting.appendleft(piece[samples:])
                piece = piece[:samples]
            samples -= len(piece)
            taken.append(piece)
        return taken[0] if len(taken) == 1 else np.concatenate(taken)

    def _at_own_rate(self, samples: int) -> int:
        if self._device_rate == self.rate:
            return samples
        return min(round(samples * self.rate / self._device_rate), self._written)


def _ramped(samples: Samples, over: int, *, up: bool = False) -> Samples:
    """A copy whose first `over` samples come up from, or go down to, silence."""
    ramp = np.linspace(0.0, 1.0, min(over, len(samples)), endpoint=False)
    ramp = ramp if up else ramp[::-1]
    ramped: Samples = samples.copy()
    ramped[: len(ramp)] = (samples[: len(ramp)] * ramp).astype(np.int16)
    return ramped
