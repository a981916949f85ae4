"""The dictionaries of what a recogniser is told."""

from livekit.agents.voice.keyterm_detection import (
    KeytermDetectionOptions,
    KeytermsOptions,
    STTContextOptions,
)

__all__ = ["KeytermDetectionOptions", "KeytermsOptions", "STTContextOptions"]
