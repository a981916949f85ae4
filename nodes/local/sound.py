"""Frames of any rate and channel count, as one stream of 16-bit mono samples."""

from typing import TypeAlias

import numpy as np
import soxr
from livekit import rtc
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.int16]

NONE: Samples = np.empty(0, dtype=np.int16)
_NO_INPUT: NDArray[np.float32] = np.empty(0, dtype=np.float32)


class Mono:
    """One voice's samples at `rate` hertz; a frame goes in, what is ready comes out.

    `quality` is soxr's: "QQ" has no delay and costs 5 µs a frame, which a detector wants;
    "HQ" filters what folds back, which a recogniser wants, and holds up to 40 ms until `rest`.
    The same frames always give the same samples, and a change of rate loses none.
    """

    def __init__(self, rate: int, *, quality: str = "QQ") -> None:
        # Mutable: the rate of the last frame, and the resampler for it where one is needed.
        self._rate = rate
        self._quality = quality
        self._from = rate
        self._resampler: soxr.ResampleStream | None = None

    def push(self, frame: rtc.AudioFrame) -> Samples:
        """Give the samples that this frame completes."""
        samples: Samples = np.frombuffer(frame.data, dtype=np.int16)
        if frame.num_channels > 1:
            # One channel, not the mean: two microphones in opposite phase would be silent.
            samples = np.ascontiguousarray(samples[:: frame.num_channels])
        if frame.sample_rate != self._from:
            return self._changed(frame.sample_rate, samples)
        return samples if self._resampler is None else self._resampled(samples)

    def rest(self) -> Samples:
        """Give what the resampler still held, and begin again."""
        if self._resampler is None:
            return NONE

        tail = _rounded(self._resampler.resample_chunk(_NO_INPUT, last=True))
        self._resampler.clear()
        return tail

    def _changed(self, rate: int, samples: Samples) -> Samples:
        tail, self._from, self._resampler = self.rest(), rate, None
        if rate != self._rate:
            self._resampler = soxr.ResampleStream(
                rate, self._rate, 1, dtype="float32", quality=self._quality
            )
            samples = self._first(samples)
        return np.concatenate([tail, samples])

    def _first(self, samples: Samples) -> Samples:
        """Resample the first frame, made whole: its one missing sample would delay every window."""
        out = self._resampled(samples)
        missing = len(samples) * self._rate // self._from - len(out)
        if self._quality != "QQ" or missing <= 0:
            return out
        return np.concatenate([np.zeros(missing, dtype=np.int16), out])

    def _resampled(self, samples: Samples) -> Samples:
        assert self._resampler is not None
        return _rounded(self._resampler.resample_chunk(samples.astype(np.float32)))


def _rounded(samples: NDArray[np.float32]) -> Samples:
    """Whole samples. (soxr's own 16-bit output is dithered, differently each time.)"""
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
