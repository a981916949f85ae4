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
    get_job_context,
    llm,
)

from antiphon import cli
from antiphon.agent import Agent
from antiphon.context import RunContext
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
from antiphon.function_tools import function_tool
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
from antiphon.task import AgentTask

__all__ = [
    "NOT_GIVEN",
    "Agent",
    "AgentTask",
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
    "RunContext",
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
    "llm",
]
