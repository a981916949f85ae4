"""The default `tts_node`: chunks of text in, audio frames out, with spans and word times.

A TTS that takes whole texts gets one request for each chunk, the next one asked for while the
one before is still being read, so that its first byte is not waited for. A TTS that streams gets
one stream for the segment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import soxr
from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN
from livekit.agents.types import TimedString

from antiphon.nodes import retried
from antiphon.nodes.edge import closed, opened
from antiphon.nodes.edge import frame as checked
from antiphon.nodes.fallback_tts import own, request, samples
from antiphon.nodes.markers import Lowering, visible
from antiphon.pipeline.foreign import finish
from antiphon.pipeline.ledger import LEDGER, Mark, Sound
from antiphon.pipeline.streams import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    import numpy.typing as npt
    from livekit.agents import APIConnectOptions, NotGivenOr, tts

    from antiphon.pipeline.aligned import Timed

SPAN: Final = "antiphon.span"  # key of a frame's `userdata`: the `Mark` it belongs to
AHEAD: Final = 10.0  # seconds of one request's audio that may wait

Asked = tuple[Mark | None, AsyncIterator[rtc.AudioFrame]]


async def synthesise(
    engine: tts.TTS[Any],
    text: AsyncIterable[str],
    conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    markup: tts.TTS.Markup | None = None,
    cut_off: Callable[[], None] = lambda: None,
) -> AsyncGenerator[rtc.AudioFrame, None]:
    """Speak `text`, one item at a time, with any LiveKit TTS; `markup` is of the markers in it, and
    `cut_off` is called when a stream was left before its end."""
    told = None if markup is None else Lowering(markup)
    async with Scope("tts") as scope:
        several = own(engine)
        speak = several.speak if several is not None else partial(request, engine)
        if engine.capabilities.streaming and several is None:
            stream = _one_stream(scope, engine, text, conn_options, told)
            async with aclosing(_watched(stream, cut_off)) as frames:
                async for frame in frames:
                    yield frame
            return

        async def ask() -> AsyncGenerator[Asked, None]:
            first = True  # it is waited for, so it needs no task of its own
            async for chunk in text:
                ledger = LEDGER.get()
                mark = ledger.mark(visible(chunk) if told else chunk) if ledger else None
                voiced = speak(told.lower(chunk) if told else chunk, conn_options)
                yield mark, voiced if first else scope.pipe("request", voiced, ahead, samples)
                first = False

        ahead = int(AHEAD * engine.sample_rate)
        async for mark, voiced in scope.pipe("requests", ask(), ahead=0):
            try:
                async for frame in voiced:
                    if mark is not None:
                        frame.userdata[SPAN] = mark
                    if told is not None:
                        told.leave_out(frame)
                    yield frame
            finally:
                await closed(voiced)
            if mark is not None:
                mark.done = True


async def _watched(
    stream: AsyncGenerator[rtc.AudioFrame, None], cut_off: Callable[[], None]
) -> AsyncGenerator[rtc.AudioFrame, None]:
    whole = False
    try:
        async with aclosing(stream) as frames:
            async for frame in frames:
                yield frame
        whole = True
    finally:
        if not whole:
            cut_off()


async def _one_stream(
    scope: Scope,
    engine: tts.TTS[Any],
    text: AsyncIterable[str],
    conn_options: APIConnectOptions,
    told: Lowering | None,
) -> AsyncGenerator[rtc.AudioFrame, None]:
    async with engine.stream(conn_options=conn_options) as stream:

        async def push() -> AsyncGenerator[None, None]:
            try:
                async for chunk in text:
                    stream.push_text(told.lower(chunk) if told else chunk)
                    yield
            finally:
                stream.end_input()

        pushed = scope.pipe("text", push(), ahead=0, measure=lambda _: 0)
        async for audio in stream:
            if told is not None:
                told.leave_out(audio.frame)
            yield audio.frame
        async for _ in pushed:  # raises what reading the text raised
            pass


async def sounds(call: Callable[[], object], rate: int) -> AsyncGenerator[Sound, None]:
    """A `tts_node`'s frames, of any rate and channels, as mono samples at `rate`.

    Spans and word times are kept. LiveKit's resampler drops `userdata`, so this one (soxr) is
    ours. It is emptied at the end of each span: no sample of one chunk is counted with the next.
    """
    resampler = _Resampler(rate)
    frames: AsyncIterator[object] = await opened(call)
    try:
        async for item in frames:
            frame = checked(item)
            its = frame.userdata.get(SPAN)
            for sound in resampler.push(frame, its if isinstance(its, Mark) else None):
                yield sound
    finally:
        await closed(frames)
    for sound in resampler.rest():
        yield sound


class _Resampler:
    """Mutable state: the open span, its source rate, and soxr's own stream for it."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._stream: soxr.ResampleStream | None = None
        self._source_rate = 0
        self._mark: Mark | None = None

    def push(self, frame: rtc.AudioFrame, mark: Mark | None) -> list[Sound]:
        out: list[Sound] = []
        if mark is not self._mark or frame.sample_rate != self._source_rate:
            out = self.rest()
            self._mark, self._source_rate = mark, frame.sample_rate
            if frame.sample_rate != self._rate:
                self._stream = soxr.ResampleStream(
                    frame.sample_rate, self._rate, 1, np.float32, quality="LQ"
                )
        pcm = _mono(frame)
        if self._stream is not None:
            pcm = _rounded(self._stream.resample_chunk(pcm.astype(np.float32)))
        words = _words(frame)
        if len(pcm) or words:
            out.append(Sound(pcm.data, mark, words))
        return out

    def rest(self) -> list[Sound]:
        """What the resampler still holds of the open span."""
        if self._stream is None:
            return []
        stream, self._stream = self._stream, None
        pcm = _rounded(stream.resample_chunk(np.zeros(0, np.float32), last=True))
        return [Sound(pcm.data, self._mark)] if len(pcm) else []


def _rounded(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Whole samples. (soxr's own 16-bit output is dithered, differently each time.)"""
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def _mono(frame: rtc.AudioFrame) -> npt.NDArray[np.int16]:
    pcm = np.frombuffer(frame.data, np.int16)
    if frame.num_channels == 1:
        return pcm
    return np.asarray(pcm.reshape(-1, frame.num_channels).mean(axis=1), np.int16)


def _words(frame: rtc.AudioFrame) -> tuple[tuple[str, float], ...]:
    return tuple((w, end) for w in retried.timed(frame) if (end := retried.end_of(w)) is not None)


async def timed(texts: AsyncIterable[str | Timed]) -> AsyncGenerator[str, None]:
    """The words of a voice as LiveKit shows them to a transcription_node; other texts as they are.
    Times are in seconds from the start of the segment."""
    try:
        async for text in texts:
            yield text if isinstance(text, str) else _timed(text)
    finally:
        await finish(texts)


def _timed(word: Timed) -> TimedString:
    def moved(name: str) -> NotGivenOr[float]:
        moment: NotGivenOr[float] = getattr(word.word, name, NOT_GIVEN)
        return moment + word.offset if isinstance(moment, float | int) else NOT_GIVEN

    return TimedString(word.text, start_time=moved("start_time"), end_time=moved("end_time"))
