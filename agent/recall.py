"""The sound of what the recogniser has not understood: one that is started again is given it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from antiphon.nodes.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from livekit import rtc

VOICES: Final = 20.0  # seconds of voices without final words
BEFORE: Final = 1.0  # seconds before a voice was noticed


class Recall:
    """Mutable state: the voices since the last final words, and the last moment of silence."""

    def __init__(self) -> None:
        self._voices = Tail(VOICES)
        self._silence = Tail(BEFORE)

    def keep(self, frame: rtc.AudioFrame, *, voiced: bool) -> None:
        """A frame that the recogniser is given; `voiced`: words of it are waited for."""
        if not voiced:
            self._silence.keep(frame)
            return
        for before in self._silence.frames:
            self._voices.keep(before)
        self._silence.clear()
        self._voices.keep(frame)

    def understood(self) -> None:
        """Final words came."""
        self._voices.clear()
        self._silence.clear()

    def frames(self) -> Iterator[rtc.AudioFrame]:
        """What is to be heard again."""
        yield from self._voices.frames
        yield from self._silence.frames
