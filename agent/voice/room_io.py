"""How a session would take part in a room: LiveKit's options."""

from livekit.agents.voice.room_io import (
    ATTRIBUTE_PUBLISH_ON_BEHALF,
    AudioInputOptions,
    AudioOutputOptions,
    RoomInputOptions,
    RoomOptions,
    RoomOutputOptions,
    TextInputEvent,
    TextInputOptions,
    TextOutputOptions,
    VideoInputOptions,
)
from livekit.agents.voice.room_io.types import NoiseCancellationParams

__all__ = [
    "ATTRIBUTE_PUBLISH_ON_BEHALF",
    "AudioInputOptions",
    "AudioOutputOptions",
    "NoiseCancellationParams",
    "RoomInputOptions",
    "RoomOptions",
    "RoomOutputOptions",
    "TextInputEvent",
    "TextInputOptions",
    "TextOutputOptions",
    "VideoInputOptions",
]
