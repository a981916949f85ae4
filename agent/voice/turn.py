"""The dictionaries of turn handling."""

from livekit.agents.voice.turn import (
    EndpointingOptions,
    InterruptionOptions,
    PreemptiveGenerationOptions,
    TurnDetectionMode,
    TurnHandlingOptions,
    UserTurnLimitOptions,
)

__all__ = [
    "EndpointingOptions",
    "InterruptionOptions",
    "PreemptiveGenerationOptions",
    "TurnDetectionMode",
    "TurnHandlingOptions",
    "UserTurnLimitOptions",
]
