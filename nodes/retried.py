"""A voice that fails in the middle of a text tries again from its beginning; only what has not
been made yet goes on from here.

LiveKit's streams say which attempt a frame is of by its `request_id`. The same voice makes about
the same sound of the same text, so the second attempt is cut where the first one ended.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from livekit import rtc
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

if TYPE_CHECKING:
    from livekit.agents import tts


class Unrepeated:
    """The frames of a stream without what an earlier attempt has made already.

    Mutable state: the attempt, the samples of it and of all that was given, and where the last word
    that was given ends, in seconds.
    """

    def __init__(self) -> None:
        self._attempt: str | None = None
        self._made = self._given = 0
        self._told = 0.0

    def frame(self, audio: tts.SynthesizedAudio) -> rtc.AudioFrame | None:
        """What goes on of this one; None where nothing does."""
        frame = audio.frame
        if audio.request_id != self._attempt:
            self._attempt, self._made = audio.request_id, 0
        repeated = min(self._given - self._made, frame.samples_per_channel)
        self._made += frame.samples_per_channel
        if repeated > 0:
            frame = _from(frame, repeated, self._told)
        self._given = max(self._given, self._made)
        if frame.userdata:
            self._told = max([self._told, *ends(frame)])
        return frame if frame.samples_per_channel else None


def ends(frame: rtc.AudioFrame) -> list[float]:
    """When the words of a frame end, in seconds of its voice's time."""
    return [end for word in timed(frame) if (end := end_of(word)) is not None]


def timed(frame: rtc.AudioFrame) -> list[TimedString]:
    """The words that came with a frame."""
    words = frame.userdata.get(USERDATA_TIMED_TRANSCRIPT) or []
    return [word for word in words if isinstance(word, TimedString)]


def end_of(word: TimedString) -> float | None:
    """When a word ends; None where the voice has not said, or says NaN."""
    end = word.end_time
    return float(end) if isinstance(end, float | int) and isfinite(end) else None


def _from(frame: rtc.AudioFrame, samples: int, told: float) -> rtc.AudioFrame:
    """A frame without its first `samples`, and without the words that end by `told`."""
    width, count = frame.num_channels, frame.samples_per_channel - samples
    left = [word for word in timed(frame) if (end := end_of(word)) is None or end > told]
    userdata = {**frame.userdata, USERDATA_TIMED_TRANSCRIPT: left}
    rest = bytes(frame.data[samples * width :].cast("B"))
    return rtc.AudioFrame(rest, frame.sample_rate, width, count, userdata=userdata)
