"""A scripted agent that calls tools: what its model says and calls, step by step."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from livekit.agents import llm

from tests.scripted import Call, Plain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

    from antiphon import ModelSettings

Part = str | llm.FunctionToolCall

_IDS = itertools.count(1)


def calls(name: str, _id: str | None = None, **arguments: object) -> llm.FunctionToolCall:
    """The model calls a tool."""
    return llm.FunctionToolCall(
        name=name, arguments=json.dumps(arguments), call_id=_id or f"call_{next(_IDS)}"
    )


@dataclass
class Asked:
    """One request to the model: when, with what, and what it might call."""

    at: float
    context: llm.ChatContext
    tools: list[str]
    choice: object = field(default=None)


class Caller(Plain):
    """Each request gets the next of `steps`: texts and tool calls, in order."""

    def __init__(
        self,
        call: Call,
        steps: Iterable[Sequence[Part]],
        tools: Sequence[llm.Tool | llm.Toolset | Callable[..., Any]] = (),
        **options: Any,
    ) -> None:
        super().__init__(call.caller, call.voice, (), **options)
        self._tools = [*tools, *self._tools]  # type: ignore[list-item]
        self._steps = iter(steps)
        self.requests: list[Asked] = []

    async def llm_node(  # type: ignore[override]
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[str | llm.ChatChunk, None]:
        now = asyncio.get_running_loop().time()
        names = [tool.id for tool in tools]
        self.requests.append(Asked(now, chat_ctx.copy(), names, model_settings.tool_choice))
        parts = next(self._steps)
        await asyncio.sleep(self.think)
        for part in parts:
            if isinstance(part, str):
                for token in part.split():
                    yield token + " "
                    await asyncio.sleep(self.token)
            else:
                delta = llm.ChoiceDelta(role="assistant", tool_calls=[part])
                yield llm.ChatChunk(id="scripted", delta=delta)


def story(call: Call) -> list[str]:
    """The session's history in short: who said what, which tool was called, what it gave."""
    told = []
    for item in call.session.history.items:
        if isinstance(item, llm.ChatMessage):
            told.append(f"{item.role}: {item.text_content}")
        elif isinstance(item, llm.FunctionCall):
            told.append(f"call: {item.name} {item.arguments}")
        elif isinstance(item, llm.FunctionCallOutput):
            told.append(f"output: {item.output}" + (" (error)" if item.is_error else ""))
        elif isinstance(item, llm.AgentHandoff) and item.old_agent_id:
            told.append(f"handoff: {item.old_agent_id} to {item.new_agent_id}")
    return told
