"""The default `llm_node`: the chat context to any LiveKit LLM, its chunks as they come."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, FlushSentinel, llm

from antiphon.nodes.edge import closed, opened
from antiphon.pipeline.source import Flush, Thought

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from livekit.agents import APIConnectOptions
    from livekit.agents.voice import ModelSettings

    from antiphon.pipeline.calls import Call

Chunk = llm.ChatChunk | str | FlushSentinel


async def chat(
    engine: llm.LLM[Any],
    chat_ctx: llm.ChatContext,
    tools: list[llm.Tool],
    model_settings: ModelSettings,
    conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
) -> AsyncGenerator[llm.ChatChunk, None]:
    """One request; leaving early closes it."""
    async with engine.chat(
        chat_ctx=chat_ctx,
        tools=tools,
        tool_choice=model_settings.tool_choice,
        conn_options=conn_options,
    ) as stream:
        async for chunk in stream:
            yield chunk


async def thoughts(
    call: Callable[[], object], called: Callable[[llm.FunctionToolCall], Call | None]
) -> AsyncGenerator[Thought, None]:
    """What of an `llm_node`'s chunks the reply engine reads: text, ends of segments, tool calls.

    `called` says what becomes of a call that the model makes; None: nothing.
    """
    chunks: AsyncIterator[Chunk] = await opened(call, single=(str, llm.ChatChunk, FlushSentinel))
    try:
        async for chunk in chunks:
            match chunk:
                case str():
                    if chunk:
                        yield chunk
                case FlushSentinel():
                    yield Flush.SEGMENT
                case llm.ChatChunk():
                    if chunk.delta is not None:
                        if chunk.delta.content:
                            yield chunk.delta.content
                        for wanted in chunk.delta.tool_calls:
                            if (known := called(wanted)) is not None:
                                yield known
                case _:
                    kind = type(chunk).__name__
                    raise TypeError(f"llm_node gave {kind}: give str, ChatChunk or FlushSentinel")
    finally:
        await closed(chunks)


async def continued(
    said: str, parts: AsyncGenerator[Thought, None]
) -> AsyncGenerator[Thought, None]:
    """The rest of an answer of which `said` is known; a model that begins it anew is cut there."""
    start = said.lstrip()
    repeated: str | None = ""  # what may be the beginning again; None when that is decided
    async with aclosing(parts):
        async for part in parts:
            if repeated is None or not isinstance(part, str):
                yield part
                continue
            repeated += part
            again = repeated.lstrip()
            if len(again) < len(start) and start.startswith(again):
                continue
            repeated, rest = None, again[len(start) :] if again.startswith(start) else repeated
            if rest:
                yield rest
