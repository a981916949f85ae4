"""A session in a LiveKit room, and how it takes part in it."""

from livekit.agents.voice.room_io import (
    ATTRIBUTE_PUBLISH_ON_BEHALF,
    AudioOutputOptions,
    RoomOptions,
    RoomOutputOptions,
    TextInputEvent,
    TextOutputOptions,
    VideoInputOptions,
)
from livekit.agents.voice.room_io.types import NoiseCancellationParams

from antiphon.room import RoomIO
from antiphon.room_options import AudioInputOptions, RoomInputOptions, TextInputOptions

__all__ = [
    "ATTRIBUTE_PUBLISH_ON_BEHALF",
    "AudioInputOptions",
    "AudioOutputOptions",
    "NoiseCancellationParams",
    "RoomIO",
    "RoomInputOptions",
    "RoomOptions",
    "RoomOutputOptions",
    "TextInputEvent",
    "TextInputOptions",
    "TextOutputOptions",
    "VideoInputOptions",
]
