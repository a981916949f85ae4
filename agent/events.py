"""What a session reports: LiveKit's events, and ours where LiveKit's needs its own handle."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from livekit.agents import (
    AgentFalseInterruptionEvent,
    AgentStateChangedEvent,
    APIConnectionError,
    APIError,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    ErrorEvent,
    MetricsCollectedEvent,
    SessionUsageUpdatedEvent,
    ToolExecutionUpdatedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    UserTranscriptionTimeoutEvent,
)
from livekit.agents import FunctionToolsExecutedEvent as LiveKitToolsExecuted
from livekit.agents.inference import OverlappingSpeechEvent
from livekit.agents.llm import LLMError, RealtimeModel, RealtimeModelError
from livekit.agents.stt import STTError
from livekit.agents.tts import TTSError
from pydantic import Field

if TYPE_CHECKING:
    from antiphon.agent import Agent
    from antiphon.speech import SpeechHandle

EventTypes = Literal[
    "user_state_changed",
    "agent_state_changed",
    "user_input_transcribed",
    "conversation_item_added",
    "agent_false_interruption",
    "user_transcription_timeout",
    "function_tools_executed",
    "tool_execution_updated",
    "speech_created",
    "session_usage_updated",
    "metrics_collected",
    "budget_spent",
    "overlapping_speech",
    "debug_message",
    "error",
    "close",
]

__all__ = [
    "AgentEvent",
    "AgentFalseInterruptionEvent",
    "AgentStateChangedEvent",
    "BudgetSpentEvent",
    "CloseEvent",
    "CloseReason",
    "ConversationItemAddedEvent",
    "ErrorEvent",
    "EventTypes",
    "FunctionToolsExecutedEvent",
    "SessionUsageUpdatedEvent",
    "SpeechCreatedEvent",
    "UserInputTranscribedEvent",
    "UserStateChangedEvent",
    "UserTranscriptionTimeoutEvent",
    "error_event",
]


class FunctionToolsExecutedEvent(LiveKitToolsExecuted):
    """The calls of one step and their outputs, before the model answers them.

    A callback may still say `cancel_tool_reply()` or `cancel_agent_handoff()`.
    """

    hands_over: bool = Field(default=False, exclude=True)

    def cancel_agent_handoff(self) -> None:
        self.hands_over = False

    @property
    def has_agent_handoff(self) -> bool:
        return self.hands_over


@dataclass(frozen=True, slots=True)
class SpeechCreatedEvent:
    """There is a speech; `user_initiated` for all but those that a realtime model begins."""

    speech_handle: SpeechHandle
    source: Literal["say", "generate_reply"]
    user_initiated: bool
    type: Literal["speech_created"] = "speech_created"
    created_at: float = field(default_factory=time.time)

    def model_dump(self) -> dict[str, object]:
        """As LiveKit's events are written into a report; the speech itself is not."""
        shown = ("type", "user_initiated", "source", "created_at")
        return {name: getattr(self, name) for name in shown}


@dataclass(frozen=True, slots=True)
class BudgetSpentEvent:
    """80 % of `budget` is spent, or all of it: then what was asked for is said to its end, and the
    session closes."""

    dollars: float
    budget: float
    type: Literal["budget_spent"] = "budget_spent"
    created_at: float = field(default_factory=time.time)

    @property
    def over(self) -> bool:
        return self.dollars >= self.budget

    def model_dump(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in ("type", "dollars", "budget", "created_at")}


AgentEvent = (
    UserInputTranscribedEvent
    | UserTranscriptionTimeoutEvent
    | UserStateChangedEvent
    | AgentStateChangedEvent
    | AgentFalseInterruptionEvent
    | MetricsCollectedEvent
    | SessionUsageUpdatedEvent
    | BudgetSpentEvent
    | ConversationItemAddedEvent
    | FunctionToolsExecutedEvent
    | SpeechCreatedEvent
    | ToolExecutionUpdatedEvent
    | ErrorEvent
    | CloseEvent
    | OverlappingSpeechEvent
)
"""Whatever a session reports."""


def error_event(
    where: str, error: Exception, agent: Agent, at: float, *, recoverable: bool = False
) -> ErrorEvent:
    """LiveKit's error event for what failed `at` a time of day; the recogniser's and the voice's
    have classes of their own, everything else a reply can fail with is reported as the model's."""
    if isinstance(error, APIConnectionError) and isinstance(error.__cause__, APIError):
        error = error.__cause__  # of the last attempt, as in LiveKit; the other counts them
    kind: type[LLMError | RealtimeModelError | STTError | TTSError] = LLMError
    source: Any = agent.llm
    if where == "llm" and isinstance(source, RealtimeModel):
        kind = RealtimeModelError
    if where in ("stt", "input", "vad"):
        kind, source = STTError, agent.vad if where == "vad" else agent.stt
    elif where in ("tts", "output"):
        kind, source = TTSError, agent.tts if where == "tts" else None
    label = source.label if where in ("stt", "llm", "tts") and source is not None else where
    wrapped = kind(timestamp=at, label=label, error=error, recoverable=recoverable)
    return ErrorEvent(error=wrapped, source=source or agent, created_at=at)
