"""Frames of any rate and channel count, as one stream of 16-bit mono samples."""

from typing import TypeAlias

import numpy as np
import soxr
from livekit import rtc
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.int16]

NONE: Samples = np.empty(0, dtype=np.int16)


class Mono:
    """One voice's samples at `rate` hertz; a frame goes in, what is ready comes out.

    `quality` is soxr's: "QQ" has no delay and costs 3 µs a frame, which a detector wants;
    "HQ" filters what folds back, which a recogniser wants, and holds up to 40 ms until `rest`.
    """

    def __init__(self, rate: int, *, quality: str = "QQ") -> None:
        # Mutable: the rate of the last frame and the resampler for it.
        self._rate = rate
        self._quality = quality
        self._from = 0
        self._resampler: soxr.ResampleStream | None = None

    def push(self, frame: rtc.AudioFrame) -> Samples:
        """Give the samples that this frame completes."""
        samples: Samples = np.frombuffer(frame.data, dtype=np.int16)
        if frame.num_channels > 1:
            # One channel, not the mean: two microphones in opposite phase would be silent.
            samples = np.ascontiguousarray(samples[:: frame.num_channels])
        if frame.sample_rate == self._rate:
            return samples

        if frame.sample_rate != self._from:
            self._from = frame.sample_rate
            self._resampler = soxr.ResampleStream(
                self._from, self._rate, 1, dtype="int16", quality=self._quality
            )
            return self._first(samples)

        assert self._resampler is not None
        out: Samples = self._resampler.resample_chunk(samples)
        return out

    def rest(self) -> Samples:
        """Give what the resampler still held, and begin again."""
        if self._resampler is None:
            return NONE

        tail: Samples = self._resampler.resample_chunk(NONE, last=True)
        self._resampler.clear()
        return tail

    def _first(self, samples: Samples) -> Samples:
        """Resample the first frame, made whole: its one missing sample would delay every window."""
        assert self._resampler is not None
        out: Samples = self._resampler.resample_chunk(samples)
        missing = len(samples) * self._rate // self._from - len(out)
        if self._quality != "QQ" or missing <= 0:
            return out
        return np.concatenate([np.zeros(missing, dtype=np.int16), out])
