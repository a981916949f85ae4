"""The default `llm_node`: the chat context to any LiveKit LLM, its chunks as they come."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    APIConnectionError,
    APIStatusError,
    FlushSentinel,
    llm,
)

from antiphon.nodes.edge import Characters, closed, opened
from antiphon.nodes.langchain import Heard
from antiphon.nodes.watch import Watch
from antiphon.pipeline.source import Flush, Thought

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from livekit.agents import APIConnectOptions
    from livekit.agents.voice import ModelSettings

    from antiphon.pipeline.calls import Call

logger = logging.getLogger("antiphon.llm")

Chunk = llm.ChatChunk | str | FlushSentinel

FAILED: Final = "error"
SWITCHED: Final = "llm_availability_changed"  # a fallback's
RETRIED: Final = 0.05  # seconds after a failure; what comes later is another attempt's
AGAIN: Final = 0.1  # seconds until a model that does not ask again by itself is asked again


async def chat(
    engine: llm.LLM[Any],
    chat_ctx: llm.ChatContext,
    tools: list[llm.Tool],
    model_settings: ModelSettings,
    conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
) -> AsyncGenerator[llm.ChatChunk, None]:
    """One request; leaving early closes it. A model that fails in the middle of its answer and
    begins anew has failed: whoever listens has heard the beginning. One that fails before, and does
    not ask again by itself, is asked once more."""
    ask = partial(
        engine.chat,
        chat_ctx=chat_ctx,
        tools=tools,
        tool_choice=model_settings.tool_choice,
        conn_options=conn_options,
    )
    for last in (conn_options.max_retry < 1, True):
        attempt, words = Attempt(engine), Heard(engine)
        try:
            with attempt.watch:
                async with words.asked(partial(attempt.watch.asked, ask)) as stream:
                    async for chunk in stream:
                        attempt.check(chunk)
                        if words.hears(chunk):
                            yield chunk
        except APIStatusError as error:
            if last or not attempt.may_be_repeated(error):
                raise
            logger.warning("%s: %s; asked again", engine.label, error)
        else:
            return
        await asyncio.sleep(AGAIN)


class Attempt:
    """Mutable state: what the chunks so far have in common, whether they said anything, and which
    model gave them when it failed."""

    def __init__(self, engine: llm.LLM[Any]) -> None:
        self.watch = Watch(engine, FAILED, SWITCHED, then=self._failed)
        self._engine = engine
        self._last = ""
        self._answered = False
        self._gave: object = None

    def check(self, chunk: llm.ChatChunk) -> None:
        """APIConnectionError for a chunk that does not go on with the ones before it."""
        if self.watch.told and self._anew(chunk):
            self.watch.told.clear()
            if self._answered:
                why = "the model failed in the middle of its answer, and began anew"
                raise APIConnectionError(why, retryable=False)
        self._last = chunk.id
        self._answered = self._answered or chunk.has_response()

    def may_be_repeated(self, error: APIStatusError) -> bool:
        """Nobody has heard anything, the model has given up at once, and the fault is not in what
        it was asked (nor in the key)."""
        ours = 400 <= error.status_code < 500
        return not (self._answered or error.retryable or ours)

    def _failed(self) -> None:
        self._gave = self._engine.metrics_metadata

    def _anew(self, chunk: llm.ChatChunk) -> bool:
        now, told = asyncio.get_running_loop().time(), self.watch.told
        if FAILED in told:  # it waits before it tries again
            return now - told[FAILED] > RETRIED
        other = bool(self._last) and chunk.id != self._last
        return other or self._engine.metrics_metadata != self._gave


class Answer:
    """What a model tells of its answer beside the text. `extra` is the provider's own, to be given
    back to it. Mutable state: that, and when the text came."""

    def __init__(self) -> None:
        self.request_ids: list[str] = []
        self.extra: dict[str, Any] = {}
        self._tokens: int | None = None
        self._texts: list[float] = []  # loop times of the first text and the last

    @property
    def tokens_per_second(self) -> float | None:
        """From the first text to the last; None where the model counts none, or there is one."""
        if self._tokens is None or len(self._texts) < 2:
            return None
        begin, end = self._texts
        return self._tokens / (end - begin) if end > begin else None

    def note(self, chunk: Chunk) -> None:
        """Take note of a chunk."""
        text: str | None = chunk if isinstance(chunk, str) else None
        if isinstance(chunk, llm.ChatChunk):
            if chunk.id and chunk.id not in self.request_ids:
                self.request_ids.append(chunk.id)
            if chunk.usage is not None:
                self._tokens = chunk.usage.completion_tokens
            if chunk.delta is not None:
                self.extra.update(chunk.delta.extra or {})
                text = chunk.delta.content
        if text:
            self._texts[1:] = [asyncio.get_running_loop().time()]


async def thoughts(
    call: Callable[[], object],
    called: Callable[[llm.FunctionToolCall], Call | None],
    answer: Answer,
) -> AsyncGenerator[Thought, None]:
    """What of an `llm_node`'s chunks the reply engine reads: text, ends of segments, tool calls.

    `called` says what becomes of a call that the model makes; None: nothing.
    """
    chunks: AsyncIterator[Chunk] = await opened(call, single=(str, llm.ChatChunk, FlushSentinel))
    characters, empty = Characters(), True
    try:
        async for chunk in chunks:
            answer.note(chunk)
            text, wanted = _read(chunk)
            text = characters.push(text)
            empty = empty and not wanted and not text.strip()
            if text:
                yield text
            for each in wanted:
                if (known := called(each)) is not None:
                    yield known
            if isinstance(chunk, FlushSentinel):
                yield Flush.SEGMENT
    finally:
        await closed(chunks)
    if empty:
        logger.warning("llm_node gave no words and no tool call: nothing is said")


def _read(chunk: Chunk) -> tuple[str, list[llm.FunctionToolCall]]:
    """The words of a chunk, and the tools it calls."""
    match chunk:
        case str():
            return chunk, []
        case FlushSentinel():
            return "", []
        case llm.ChatChunk():
            delta = chunk.delta
            return ("", []) if delta is None else (delta.content or "", delta.tool_calls)
        case _:
            kind = type(chunk).__name__
            raise TypeError(f"llm_node gave {kind}: give str, ChatChunk or FlushSentinel")


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
