"""The default `stt_node`: audio frames in, speech events out, with any LiveKit STT."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, stt

from antiphon.pipeline.errors import UsageError
from antiphon.pipeline.streams import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from livekit import rtc
    from livekit.agents import APIConnectOptions, vad

FLUSHES: ContextVar[list[Callable[[], None]] | None] = ContextVar("antiphon.flush", default=None)
"""Where the default node leaves the way to ask its recogniser for final words."""


async def recognise(
    engine: stt.STT[Any],
    voice: vad.VAD | None,
    audio: AsyncIterable[rtc.AudioFrame],
    conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
) -> AsyncGenerator[stt.SpeechEvent, None]:
    """Recognise `audio`; an engine that takes whole utterances is given them by `voice`."""
    if not engine.capabilities.streaming:
        if voice is None:
            raise UsageError(f"{engine.label} takes whole utterances: give the session a vad")
        engine = stt.StreamAdapter(stt=engine, vad=voice)
    async with (
        Scope("stt") as scope,
        engine.stream(conn_options=conn_options) as stream,
    ):

        async def push() -> AsyncGenerator[None, None]:
            try:
                async for frame in audio:
                    stream.push_frame(frame)
                    yield
            finally:
                stream.end_input()

        flushes = FLUSHES.get()
        if flushes is not None and engine.capabilities.manual_flush:
            flushes[:] = [stream.flush]
        scope.pipe("audio", push(), ahead=0, measure=lambda _: 0)
        try:
            async for event in stream:
                yield event
        finally:
            if flushes is not None:
                flushes.clear()
