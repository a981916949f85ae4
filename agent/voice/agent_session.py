"""The session and its options, by LiveKit's module path."""

from livekit.agents.voice import (
    ExpressiveOptions,
    NonverbalOptions,
    RecordingOptions,
    SpeechSteeringOptions,
    VoiceActivityVideoSampler,
)

from antiphon.options import ConnectOptions as SessionConnectOptions
from antiphon.session import AgentSession
from antiphon.session_options import SessionOptions as AgentSessionOptions

__all__ = [
    "AgentSession",
    "AgentSessionOptions",
    "ExpressiveOptions",
    "NonverbalOptions",
    "RecordingOptions",
    "SessionConnectOptions",
    "SpeechSteeringOptions",
    "VoiceActivityVideoSampler",
]
