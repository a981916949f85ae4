"""What a scripted realtime model can, how quickly, and what it gives to one request."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from livekit.agents import llm
from livekit.agents.utils import aio

from antiphon.simulate import Calls

if TYPE_CHECKING:
    import asyncio

Answer = str | Calls | list[str]  # a list: several messages in one response


@dataclass
class Pace:
    """How quickly it is, in seconds."""

    created: float = 0.15  # from the question to the response
    first: float = 0.1  # and to its first word
    endpoint: float = 0.3  # of silence, where it ends turns itself
    transcribed: float = 0.0  # later than the simulated recogniser


def able(**more: bool) -> llm.RealtimeCapabilities:
    """What OpenAI's can, but for what is said."""
    names = {each.name for each in fields(llm.RealtimeCapabilities)}
    assert more.keys() <= names, more
    can = dict.fromkeys(names, True) | {
        "auto_tool_reply_generation": False,
        "supports_overlapping_speech": False,
        "supports_say": False,
    }
    return llm.RealtimeCapabilities(**{**can, **more})


@dataclass
class Generating:
    """A response while it comes."""

    event: llm.GenerationCreatedEvent
    messages: aio.Chan[llm.MessageGeneration] = field(default_factory=aio.Chan)
    calls: aio.Chan[llm.FunctionCall] = field(default_factory=aio.Chan)
    open: list[aio.Chan[Any]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def end(self) -> None:
        for channel in [*self.open, self.messages, self.calls]:
            channel.close()
