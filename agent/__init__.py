"""Antiphon: a runtime for voice agents. The names are those of LiveKit's documentation."""

from livekit.agents import (
    NOT_GIVEN,
    AgentServer,
    ChatContext,
    ChatMessage,
    FlushSentinel,
    FunctionTool,
    JobContext,
    JobProcess,
    ModelSettings,
    StopResponse,
    ToolError,
    TurnHandlingOptions,
    function_tool,
    get_job_context,
)

from antiphon import cli
from antiphon.agent import Agent
from antiphon.events import (
    AgentFalseInterruptionEvent,
    AgentStateChangedEvent,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    ErrorEvent,
    SpeechCreatedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)
from antiphon.options import ConnectOptions as SessionConnectOptions
from antiphon.pipeline.errors import (
    AntiphonError,
    NodeError,
    NodeTimeout,
    NodeUnavailable,
    UsageError,
)
from antiphon.session import AgentSession
from antiphon.speech import SpeechHandle

__all__ = [
    "NOT_GIVEN",
    "Agent",
    "AgentFalseInterruptionEvent",
    "AgentServer",
    "AgentSession",
    "AgentStateChangedEvent",
    "AntiphonError",
    "ChatContext",
    "ChatMessage",
    "CloseEvent",
    "CloseReason",
    "ConversationItemAddedEvent",
    "ErrorEvent",
    "FlushSentinel",
    "FunctionTool",
    "JobContext",
    "JobProcess",
    "ModelSettings",
    "NodeError",
    "NodeTimeout",
    "NodeUnavailable",
    "SessionConnectOptions",
    "SpeechCreatedEvent",
    "SpeechHandle",
    "StopResponse",
    "ToolError",
    "TurnHandlingOptions",
    "UsageError",
    "UserInputTranscribedEvent",
    "UserStateChangedEvent",
    "cli",
    "function_tool",
    "get_job_context",
]
