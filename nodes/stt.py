"""The default `stt_node`: audio frames in, speech events out, with any LiveKit STT."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

import aiohttp
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    APIConnectionError,
    APIError,
    APIStatusError,
    stt,
)

from antiphon.nodes.fallback_stt import Kept
from antiphon.pipeline.errors import NodeError, UsageError
from antiphon.pipeline.streams import Scope, Stream

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
    ask = partial(engine.stream, conn_options=conn_options)
    with Kept(engine) as kept:
        async with Scope("stt") as scope, kept.asked(ask) as stream:
            flushes = FLUSHES.get()
            if flushes is not None and engine.capabilities.manual_flush:
                flushes[:] = [stream.flush]
            refused: list[Exception] = []
            push = kept.forward(partial(_push, stream, refused))
            if isinstance(audio, Stream):  # a frame wakes no task
                audio.forward(push, partial(_end, stream))
            else:
                scope.start("audio", _push_all(stream, push, audio))
            try:
                async for event in stream:
                    if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                        kept.understood()
                    yield event
            except (aiohttp.ClientError, OSError, JSONDecodeError) as error:
                raise _of_the_connection(error) from None  # whose request has the key in it
            finally:
                if flushes is not None:
                    flushes.clear()
            for refusal in refused[:1]:
                raise NodeError(f"the recogniser took no more audio: {refusal}") from refusal


def _of_the_connection(error: Exception) -> APIError:
    """What a client should have made of it; some let pass what their connection raises."""
    if isinstance(error, aiohttp.ClientResponseError):
        return APIStatusError(error.message, status_code=error.status)
    if isinstance(error, JSONDecodeError):
        return APIConnectionError(f"what the recogniser's server sent cannot be read: {error}")
    return APIConnectionError(str(error) or type(error).__name__)


async def _push_all(
    stream: stt.RecognizeStream,
    push: Callable[[rtc.AudioFrame], None],
    audio: AsyncIterable[rtc.AudioFrame],
) -> None:
    try:
        async for frame in audio:
            push(frame)
    finally:
        _end(stream)


def _push(stream: stt.RecognizeStream, refused: list[Exception], frame: rtc.AudioFrame) -> None:
    """A frame that it refuses ends its input: it gives what it has heard, then the refusal is
    raised, and the session starts it again."""
    try:
        stream.push_frame(frame)
    except RuntimeError:  # it has ended already, and has said why
        _end(stream)
    except Exception as error:
        refused.append(error)
        _end(stream)


def _end(stream: stt.RecognizeStream) -> None:
    with suppress(RuntimeError):  # it has ended already
        stream.end_input()
