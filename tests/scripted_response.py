"""What a scripted realtime model can, how quickly, and what it gives to one request."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from livekit.agents import llm, metrics
from livekit.agents.metrics.base import Metadata
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


def refusal(why: str) -> llm.RealtimeModelError:
    """As plugins tell what a server does not accept."""
    error = llm.RealtimeError(why)
    return llm.RealtimeModelError(timestamp=0.0, label="it", error=error, recoverable=True)


@dataclass
class Generating:
    """A response while it comes."""

    event: llm.GenerationCreatedEvent
    messages: aio.Chan[llm.MessageGeneration] = field(default_factory=aio.Chan)
    calls: aio.Chan[llm.FunctionCall] = field(default_factory=aio.Chan)
    open: list[aio.Chan[Any]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def used(self, label: str, *, cancelled: bool) -> metrics.RealtimeModelMetrics:
        """What it took."""
        kind = metrics.RealtimeModelMetrics
        return kind(
            label=label,
            request_id=self.event.response_id or "",
            timestamp=0.0,
            cancelled=cancelled,
            input_tokens=10,
            output_tokens=20,
            total_tokens=30,
            input_token_details=kind.InputTokenDetails(audio_tokens=10),
            metadata=Metadata(model_name="scripted-realtime", model_provider="tests"),
            output_token_details=kind.OutputTokenDetails(audio_tokens=20),
        )

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def end(self) -> None:
        for channel in [*self.open, self.messages, self.calls]:
            channel.close()
