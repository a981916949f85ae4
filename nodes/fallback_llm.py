"""Several models as one: one that gives nothing for so long has died, whatever its client thinks.

LiveKit's adapter leaves its `attempt_timeout` to the clients of the models. Those of Bedrock and of
OpenAI's Responses by WebSocket wait as long as the connection stands.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from livekit.agents import APITimeoutError, llm

if TYPE_CHECKING:
    from livekit.agents import APIConnectOptions


class FallbackAdapter(llm.FallbackAdapter):
    """LiveKit's, of models that have failed when they give nothing for `attempt_timeout` seconds,
    before an answer or in it."""

    def __init__(
        self,
        llm: list[llm.LLM[Any]],
        *,
        attempt_timeout: float = 5.0,
        max_retry_per_llm: int = 0,
        retry_interval: float = 0.5,
        retry_on_chunk_sent: bool = False,
        sticky: bool = False,
    ) -> None:
        timed: list[Any] = [_Timed(each) for each in llm]
        super().__init__(
            timed,
            attempt_timeout=attempt_timeout,
            max_retry_per_llm=max_retry_per_llm,
            retry_interval=retry_interval,
            retry_on_chunk_sent=retry_on_chunk_sent,
            sticky=sticky,
        )

    def emit(self, event: Any, *args: Any) -> None:
        super().emit(event, *map(_as_it_was_given, args))


def _as_it_was_given(told: object) -> object:
    if isinstance(told, llm.AvailabilityChangedEvent) and isinstance(told.llm, _Timed):
        return llm.AvailabilityChangedEvent(told.llm.engine, told.available)
    return told


class _Timed:
    """A model as it is, but that its streams are timed."""

    def __init__(self, engine: llm.LLM[Any]) -> None:
        self.engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def chat(self, *, conn_options: APIConnectOptions, **asked: Any) -> _Stream:
        tries = conn_options.max_retry + 1  # of its own
        patience = tries * conn_options.timeout + (tries - 1) * conn_options.retry_interval
        return _Stream(self.engine.chat(conn_options=conn_options, **asked), patience)


class _Stream:
    """A model's stream as it is, in which each chunk comes in time, or APITimeoutError."""

    __slots__ = ("_patience", "_stream")

    def __init__(self, stream: llm.LLMStream, patience: float) -> None:
        object.__setattr__(self, "_stream", stream)
        object.__setattr__(self, "_patience", patience)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._stream, name, value)

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self._stream.__aexit__(*raised)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> llm.ChatChunk:
        try:
            async with asyncio.timeout(self._patience):  # what is late is left for good
                return await anext(self._stream)
        except TimeoutError:
            raise APITimeoutError(f"it gave nothing for {self._patience:g} s") from None
