"""Agents, sessions and what they report, by LiveKit's module path."""

from livekit.agents.voice import (
    ExpressiveOptions,
    KeytermDetectionOptions,
    KeytermsOptions,
    ModelSettings,
    NonverbalOptions,
    RecordingOptions,
    RunOutputOptions,
    SpeechSteeringOptions,
    STTContextOptions,
    TranscriptSynchronizer,
    VoiceActivityVideoSampler,
)

from antiphon.agent import Agent
from antiphon.context import RunContext
from antiphon.session import AgentSession
from antiphon.speech import SpeechHandle
from antiphon.task import AgentTask
from antiphon.voice import avatar, io, room_io, run_result
from antiphon.voice.events import (
    AgentEvent,
    AgentFalseInterruptionEvent,
    AgentStateChangedEvent,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    ErrorEvent,
    FunctionToolsExecutedEvent,
    MetricsCollectedEvent,
    SessionUsageUpdatedEvent,
    SpeechCreatedEvent,
    ToolCallEnded,
    ToolCallStarted,
    ToolCallUpdated,
    ToolExecutionUpdatedEvent,
    ToolReplyUpdated,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    UserTranscriptionTimeoutEvent,
    UserTurnExceededEvent,
)
from antiphon.voice.transcription import text_transforms

__all__ = [
    "Agent",
    "AgentEvent",
    "AgentFalseInterruptionEvent",
    "AgentSession",
    "AgentStateChangedEvent",
    "AgentTask",
    "CloseEvent",
    "CloseReason",
    "ConversationItemAddedEvent",
    "ErrorEvent",
    "ExpressiveOptions",
    "FunctionToolsExecutedEvent",
    "KeytermDetectionOptions",
    "KeytermsOptions",
    "MetricsCollectedEvent",
    "ModelSettings",
    "NonverbalOptions",
    "RecordingOptions",
    "RunContext",
    "RunOutputOptions",
    "STTContextOptions",
    "SessionUsageUpdatedEvent",
    "SpeechCreatedEvent",
    "SpeechHandle",
    "SpeechSteeringOptions",
    "ToolCallEnded",
    "ToolCallStarted",
    "ToolCallUpdated",
    "ToolExecutionUpdatedEvent",
    "ToolReplyUpdated",
    "TranscriptSynchronizer",
    "UserInputTranscribedEvent",
    "UserStateChangedEvent",
    "UserTranscriptionTimeoutEvent",
    "UserTurnExceededEvent",
    "VoiceActivityVideoSampler",
    "avatar",
    "io",
    "room_io",
    "run_result",
    "text_transforms",
]
