"""The result of a run and its assertions, by LiveKit's module path."""

from livekit.agents import RunOutputOptions
from livekit.agents.voice.run_result import (
    ChatMessageAssert,
    FunctionCallAssert,
    FunctionCallOutputAssert,
)

from antiphon.assertions import (
    AgentHandoffAssert,
    AgentHandoffEvent,
    ChatMessageEvent,
    EventAssert,
    EventRangeAssert,
    FunctionCallEvent,
    FunctionCallOutputEvent,
    RunAssert,
    RunEvent,
)
from antiphon.expect import RunResult
from antiphon.mocks import mock_tools

__all__ = [
    "AgentHandoffAssert",
    "AgentHandoffEvent",
    "ChatMessageAssert",
    "ChatMessageEvent",
    "EventAssert",
    "EventRangeAssert",
    "FunctionCallAssert",
    "FunctionCallEvent",
    "FunctionCallOutputAssert",
    "FunctionCallOutputEvent",
    "RunAssert",
    "RunEvent",
    "RunOutputOptions",
    "RunResult",
    "mock_tools",
]
