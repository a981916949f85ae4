"""The default `tts_node`: chunks of text in, audio frames out, with spans and word times.

A TTS that takes whole texts gets one request for each chunk, the next one asked for while the
one before is still being read, so that its first byte is not waited for. A TTS that streams gets
one stream for the segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import soxr
from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, NotGiven, TimedString

from antiphon.pipeline.ledger import LEDGER, Mark, Sound
from antiphon.pipeline.streams import Scope, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    import numpy.typing as npt
    from livekit.agents import APIConnectOptions, tts

SPAN: Final = "antiphon.span"  # key of a frame's `userdata`: the `Mark` it belongs to
AHEAD: Final = 10.0  # seconds of one request's audio that may wait

Asked = tuple[Mark | None, Stream[rtc.AudioFrame]]


async def synthesise(
    engine: tts.TTS[Any],
    text: AsyncIterable[str],
    conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
) -> AsyncGenerator[rtc.AudioFrame, None]:
    """Speak `text`, one item at a time, with any LiveKit TTS."""
    async with Scope("tts") as scope:
        if engine.capabilities.streaming:
            async for frame in _one_stream(scope, engine, text, conn_options):
                yield frame
            return

        async def ask() -> AsyncGenerator[Asked, None]:
            async for chunk in text:
                ledger = LEDGER.get()
                mark = ledger.mark(chunk) if ledger else None
                request = _request(engine, chunk, conn_options)
                yield mark, scope.pipe("request", request, ahead, _samples)

        ahead = int(AHEAD * engine.sample_rate)
        async for mark, frames in scope.pipe("requests", ask(), ahead=0):
            async for frame in frames:
                if mark is not None:
                    frame.userdata[SPAN] = mark
                yield frame
            if mark is not None:
                mark.done = True


async def _request(
    engine: tts.TTS[Any], chunk: str, conn_options: APIConnectOptions
) -> AsyncGenerator[rtc.AudioFrame, None]:
    async with engine.synthesize(chunk, conn_options=conn_options) as stream:
        async for audio in stream:
            yield audio.frame


async def _one_stream(
    scope: Scope, engine: tts.TTS[Any], text: AsyncIterable[str], conn_options: APIConnectOptions
) -> AsyncGenerator[rtc.AudioFrame, None]:
    async with engine.stream(conn_options=conn_options) as stream:

        async def push() -> AsyncGenerator[None, None]:
            try:
                async for chunk in text:
                    stream.push_text(chunk)
                    yield
            finally:
                stream.end_input()

        pushed = scope.pipe("text", push(), ahead=0, measure=lambda _: 0)
        async for audio in stream:
            yield audio.frame
        async for _ in pushed:  # raises what reading the text raised
            pass


async def sounds(frames: AsyncIterable[rtc.AudioFrame], rate: int) -> AsyncGenerator[Sound, None]:
    """Frames of any rate and channels as mono samples at `rate`, spans and word times kept.

    LiveKit's resampler drops `userdata`, so this one (soxr) is ours. It is emptied at the end of
    each span: no sample of one chunk is counted with the next.
    """
    resampler: soxr.ResampleStream | None = None
    source_rate = 0
    mark: Mark | None = None
    async for frame in frames:
        its = frame.userdata.get(SPAN)
        its = its if isinstance(its, Mark) else None
        if resampler is not None and (its is not mark or frame.sample_rate != source_rate):
            rest = resampler.resample_chunk(np.zeros(0, np.int16), last=True)
            if len(rest):
                yield Sound(rest.data, mark)
            resampler = None
        mark, source_rate = its, frame.sample_rate
        pcm = _mono(frame)
        if source_rate != rate:
            if resampler is None:
                resampler = soxr.ResampleStream(source_rate, rate, 1, np.int16, quality="LQ")
            pcm = resampler.resample_chunk(pcm)
        timed = _words(frame)
        if len(pcm) or timed:
            yield Sound(pcm.data, mark, timed)
    if resampler is not None:
        rest = resampler.resample_chunk(np.zeros(0, np.int16), last=True)
        if len(rest):
            yield Sound(rest.data, mark)


def _mono(frame: rtc.AudioFrame) -> npt.NDArray[np.int16]:
    pcm = np.frombuffer(frame.data, np.int16)
    if frame.num_channels == 1:
        return pcm
    return np.asarray(pcm.reshape(-1, frame.num_channels).mean(axis=1), np.int16)


def _words(frame: rtc.AudioFrame) -> tuple[tuple[str, float], ...]:
    timed = frame.userdata.get(USERDATA_TIMED_TRANSCRIPT)
    if not timed:
        return ()
    return tuple(
        (str(word), word.end_time)
        for word in timed
        if isinstance(word, TimedString) and not isinstance(word.end_time, NotGiven)
    )


def _samples(frame: rtc.AudioFrame) -> int:
    return frame.samples_per_channel
