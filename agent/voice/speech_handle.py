"""Speech handles, by LiveKit's module path."""

from antiphon.speech import SpeechHandle

__all__ = ["SpeechHandle"]
