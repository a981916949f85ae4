"""What a test asserts of a run: the events, and LiveKit's assertions over them.

LiveKit's look at nothing but the list of events, so they work on ours as they are; what is said
here is only that the agents are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from livekit.agents import NOT_GIVEN, NotGivenOr, llm
from livekit.agents.voice import run_result
from livekit.agents.voice.run_result import (
    ChatMessageAssert,
    ChatMessageEvent,
    FunctionCallAssert,
    FunctionCallEvent,
    FunctionCallOutputAssert,
    FunctionCallOutputEvent,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from antiphon.agent import Agent

__all__ = [
    "AgentHandoffAssert",
    "AgentHandoffEvent",
    "ChatMessageEvent",
    "EventAssert",
    "EventRangeAssert",
    "FunctionCallEvent",
    "FunctionCallOutputEvent",
    "RunAssert",
    "RunEvent",
    "shown",
]

EventName = Literal["message", "function_call", "function_call_output", "agent_handoff"]


@dataclass
class AgentHandoffEvent(run_result.AgentHandoffEvent):
    """Another agent has taken over, or is back."""

    old_agent: Agent | None  # type: ignore[assignment]  # ours, not LiveKit's
    new_agent: Agent  # type: ignore[assignment]  # ours, not LiveKit's


RunEvent = ChatMessageEvent | FunctionCallEvent | FunctionCallOutputEvent | AgentHandoffEvent


class AgentHandoffAssert(run_result.AgentHandoffAssert):
    """An event that is a handoff."""

    def __init__(self, event: AgentHandoffEvent, parent: RunAssert, index: int) -> None:
        super().__init__(event, parent, index)
        self._handoff = event

    def event(self) -> AgentHandoffEvent:
        return self._handoff


class EventAssert(run_result.EventAssert):
    """One event, whatever it is."""

    def __init__(self, event: RunEvent, parent: RunAssert, index: int = -1) -> None:
        super().__init__(event, parent, index)
        self._place = parent, index

    def is_agent_handoff(
        self,
        *,
        new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN,  # type: ignore[override]
    ) -> AgentHandoffAssert:
        """It is a handoff, to an agent of that class."""
        __tracebackhide__ = True
        super().is_agent_handoff(new_agent_type=cast("Any", new_agent_type))
        return AgentHandoffAssert(cast("AgentHandoffEvent", self.event()), *self._place)


class EventRangeAssert(run_result.EventRangeAssert):
    """Some of the events."""

    def contains_agent_handoff(
        self,
        *,
        new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN,  # type: ignore[override]
    ) -> AgentHandoffAssert:
        """One of them is a handoff, to an agent of that class."""
        __tracebackhide__ = True
        found = super().contains_agent_handoff(new_agent_type=cast("Any", new_agent_type))
        return cast("AgentHandoffAssert", found)


class RunAssert(run_result.RunAssert):
    """The events of a run, looked at one after the other, or by their place."""

    def __init__(self, events: Sequence[RunEvent]) -> None:
        self.events = list(events)
        super().__init__(cast("Any", self))

    @overload
    def __getitem__(self, index: int) -> EventAssert: ...

    @overload
    def __getitem__(self, s: slice) -> EventRangeAssert: ...

    def __getitem__(self, key: int | slice) -> EventAssert | EventRangeAssert:
        __tracebackhide__ = True
        if isinstance(key, slice):
            return EventRangeAssert(list(self.events[key]), self, key)
        super().__getitem__(key)  # says what is wrong with the number
        return EventAssert(self.events[key], self, key % len(self.events))

    @overload
    def next_event(self, *, type: None = None) -> EventAssert: ...

    @overload
    def next_event(self, *, type: Literal["message"]) -> ChatMessageAssert: ...

    @overload
    def next_event(self, *, type: Literal["function_call"]) -> FunctionCallAssert: ...

    @overload
    def next_event(self, *, type: Literal["function_call_output"]) -> FunctionCallOutputAssert: ...

    @overload
    def next_event(self, *, type: Literal["agent_handoff"]) -> AgentHandoffAssert: ...

    def next_event(self, *, type: EventName | None = None) -> Any:
        """The next event, or the next of that type; those before it are passed over."""
        __tracebackhide__ = True
        return super().next_event(type=cast("Any", type))

    @overload  # type: ignore[override]  # the agents are ours
    def skip_next_event_if(
        self, *, type: Literal["message"], role: NotGivenOr[llm.ChatRole] = NOT_GIVEN
    ) -> ChatMessageAssert | None: ...

    @overload
    def skip_next_event_if(
        self,
        *,
        type: Literal["function_call"],
        name: NotGivenOr[str] = NOT_GIVEN,
        arguments: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> FunctionCallAssert | None: ...

    @overload
    def skip_next_event_if(
        self,
        *,
        type: Literal["function_call_output"],
        output: NotGivenOr[str] = NOT_GIVEN,
        is_error: NotGivenOr[bool] = NOT_GIVEN,
    ) -> FunctionCallOutputAssert | None: ...

    @overload
    def skip_next_event_if(
        self, *, type: Literal["agent_handoff"], new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN
    ) -> AgentHandoffAssert | None: ...

    def skip_next_event_if(self, *, type: EventName, **wanted: Any) -> Any:
        """Pass over the next event if it is such a one."""
        __tracebackhide__ = True
        return super().skip_next_event_if(type=cast("Any", type), **wanted)

    def contains_agent_handoff(
        self,
        *,
        new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN,  # type: ignore[override]
    ) -> AgentHandoffAssert:
        """One of the events is a handoff, to an agent of that class."""
        __tracebackhide__ = True
        return self[:].contains_agent_handoff(new_agent_type=new_agent_type)


def shown(event: RunEvent) -> str:
    """An event as one line."""
    if isinstance(event, AgentHandoffEvent):
        return f"handoff to {event.new_agent.label}"
    hidden = {"type", "id", "call_id", "created_at"}
    item = event.item.model_dump(exclude_none=True, exclude_defaults=True, exclude=hidden)
    return f"{event.type} {item}"
