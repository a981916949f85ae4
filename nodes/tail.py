"""The last seconds of a sound."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit import rtc


class Tail:
    """The last `seconds` of a sound, at the rate it has now. Mutable state: its frames, and their
    length in seconds."""

    def __init__(self, seconds: float) -> None:
        self.frames: deque[rtc.AudioFrame] = deque()
        self._longest = seconds
        self._seconds = 0.0

    def keep(self, frame: rtc.AudioFrame) -> None:
        """Add a frame; what is older than the last seconds goes."""
        if self.frames and self.frames[-1].sample_rate != frame.sample_rate:
            self.clear()  # no recogniser takes both
        self.frames.append(frame)
        self._seconds += frame.duration
        while self._seconds > self._longest:
            self._seconds -= self.frames.popleft().duration

    def clear(self) -> None:
        self.frames.clear()
        self._seconds = 0.0
