"""Pocketsphinx as a streaming recogniser: words while they are said, times for each of them.

Text comes in lower case without punctuation, numbers as words, as the model has it. Listening to
silence costs 20 µs a frame: a decoder is taken when there is sound and given back when the
utterance is over, and it works in threads that leave the event loop free.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectionError,
    APIConnectOptions,
    LanguageCode,
    NotGivenOr,
    stt,
    utils,
)
from livekit.agents.types import TimedString

from antiphon.nodes.local import decoders, sphinx
from antiphon.nodes.local.interims import Interims
from antiphon.nodes.local.mouth import Mouth
from antiphon.nodes.local.sound import Mono
from antiphon.nodes.local.utterances import Utterances
from antiphon.pipeline.errors import NodeError, NodeUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

QUALITY = (
    "pocketsphinx: about 4 to 10 % of words wrong on clear synthetic speech, 39 % on real people; "
    "for tests, demos and small vocabularies"
)

_ENGLISH = LanguageCode("en")
_BATCH = 0.04  # seconds of sound in one call of the decoder, at least
_BACKLOG = 0.5  # seconds of sound that are decoded even when more is there already

# What it writes for a hum with a bit of another voice in it, and how sure it then is at most.
_HUMMED = frozenset("a an and at but if in it that the".split())
_DOUBT = 0.6

_Event = stt.SpeechEventType
_T = TypeVar("_T")


def available() -> None:
    """Raise NodeUnavailable, saying what to install, when pocketsphinx is missing."""
    sphinx.package()


class PocketsphinxSTT(stt.STT[Literal["metrics_collected"]]):
    """The local recogniser: American English, streaming, each word timed.

    An utterance ends when its stream is flushed, after `end_silence` seconds without sound when
    nobody flushes, and after `max_utterance` seconds at the latest. `worker=True` decodes in
    processes instead of threads; None does so only where the library cannot be called directly.
    """

    def __init__(
        self,
        *,
        end_silence: float = 0.8,
        max_utterance: float = 30.0,
        worker: bool | None = None,
    ) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True,
                interim_results=True,
                aligned_transcript="word",
                manual_flush=True,
            )
        )
        available()
        self._end_silence = end_silence
        self._max_utterance = max_utterance
        self._decoders = decoders.shared(worker=_needs_worker() if worker is None else worker)
        self._streams: weakref.WeakSet[_Stream] = weakref.WeakSet()

    @property
    def model(self) -> str:
        return "pocketsphinx"

    @property
    def provider(self) -> str:
        return "local"

    def prewarm(self) -> None:
        """Begin to load a decoder, so that the first stream finds one."""
        self._decoders.executor.submit(self._decoders.warm)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        _refuse_other_languages(language)
        cut = Utterances(end_silence=self._end_silence, longest=self._max_utterance)
        stream = _Stream(self, conn_options, self._decoders, cut)
        self._streams.add(stream)
        return stream

    async def aclose(self) -> None:
        """Close every stream; the decoders stay for others."""
        for stream in list(self._streams):
            await stream.aclose()

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        _refuse_other_languages(language)
        frames = buffer if isinstance(buffer, list) else [buffer]

        def recognize() -> sphinx.Utterance:
            mono = Mono(sphinx.RATE, quality="HQ")
            hearing = decoders.Hearing(self._decoders, channel="")
            for frame in frames:
                hearing.feed(mono.push(frame).tobytes())
            return hearing.finish(mono.rest().tobytes())

        heard = await _off_the_loop(self._decoders, recognize)
        return stt.SpeechEvent(type=_Event.FINAL_TRANSCRIPT, alternatives=[_speech(heard, 0.0)])


class _Stream(stt.RecognizeStream):
    def __init__(
        self,
        parent: PocketsphinxSTT,
        conn_options: APIConnectOptions,
        pool: decoders.Decoders,
        utterances: Utterances,
    ) -> None:
        super().__init__(stt=parent, conn_options=conn_options)
        # Mutable: the utterance that is heard now, what is shown of it, what this voice taught.
        self._decoders = pool
        self._utterances = utterances
        self._hearing: decoders.Hearing | None = None
        self._channel = ""
        self._interims = Interims()
        self._mouth = Mouth()
        self._count = 0

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """Hear a frame of any rate, which may be another than that of the frame before."""
        self._check_input_not_ended()
        self._check_not_closed()
        self._input_ch.send_nowait(frame)

    async def _run(self) -> None:
        try:
            await _off_the_loop(self._decoders, self._decoders.warm)
            async for item in self._input_ch:
                if not isinstance(item, rtc.AudioFrame) or self._utterances.push(item):
                    await self._end()
                elif self._is_time():
                    await self._decode()
        finally:
            self._abandon()

    def _is_time(self) -> bool:
        """Whether to decode now, or together with the frames that have come already."""
        waiting = self._utterances.waiting
        return waiting >= _BATCH and (self._input_ch.empty() or waiting >= _BACKLOG)

    async def _decode(self) -> None:
        hearing = self._hearing = self._hearing or decoders.Hearing(self._decoders, self._channel)
        sound = self._utterances.take()
        self._mouth.hear(np.frombuffer(sound, np.int16))
        guess = await _off_the_loop(self._decoders, lambda: hearing.feed(sound))
        now = self._utterances.now
        if not self._mouth.open or _hummed(guess):  # a cough or a hum, so far
            return
        if guess and not self._interims.begun:
            self._announce()
        text = self._interims.news(guess, now)
        if not text:
            return

        offset = self.start_time_offset
        data = stt.SpeechData(
            _ENGLISH,
            text,
            start_time=round(self._utterances.began + offset, 3),
            end_time=round(now + offset, 3),
        )
        self._send(_Event.INTERIM_TRANSCRIPT, data)

    async def _end(self) -> None:
        """Close the utterance, if one is open, with its final transcript."""
        was_open, began = self._utterances.open, self._utterances.began
        sound = self._utterances.cut()
        if not was_open:
            return
        self._mouth.hear(np.frombuffer(sound, np.int16))

        hearing = self._hearing = self._hearing or decoders.Hearing(self._decoders, self._channel)
        heard = await _off_the_loop(self._decoders, lambda: hearing.finish(sound))
        self._hearing = None
        worded = self._mouth.open and bool(heard.words) and not _doubtful(heard)
        if worded:
            self._channel = heard.channel
            if not self._interims.begun:
                self._announce()
            data = _speech(heard, began + self.start_time_offset)
            self._send(_Event.FINAL_TRANSCRIPT, data)
        self._event_ch.send_nowait(
            stt.SpeechEvent(
                type=_Event.RECOGNITION_USAGE,
                request_id=self._request,
                recognition_usage=stt.RecognitionUsage(self._utterances.now - began),
            )
        )
        if worded or self._interims.begun:
            self._send(_Event.END_OF_SPEECH)
        self._interims, self._mouth = Interims(), Mouth()

    @property
    def _request(self) -> str:
        return f"pocketsphinx-{self._count}"

    def _announce(self) -> None:
        """Report the start of speech, once there is a word: a cough is none."""
        self._count += 1
        self._send(_Event.START_OF_SPEECH)

    def _send(self, kind: stt.SpeechEventType, *alternatives: stt.SpeechData) -> None:
        event = stt.SpeechEvent(type=kind, request_id=self._request, alternatives=[*alternatives])
        self._event_ch.send_nowait(event)

    def _abandon(self) -> None:
        """Give the decoder back without waiting for what it does."""
        hearing, self._hearing = self._hearing, None
        if hearing is not None:
            # The executor refuses when the interpreter is going down, and then nobody needs it.
            with contextlib.suppress(RuntimeError):
                self._decoders.executor.submit(hearing.abandon)


async def _off_the_loop(pool: decoders.Decoders, call: Callable[[], _T]) -> _T:
    try:
        return await asyncio.get_running_loop().run_in_executor(pool.executor, call)
    except NodeError as error:
        retryable = not isinstance(error, NodeUnavailable)
        raise APIConnectionError(str(error), retryable=retryable) from error


def _speech(heard: sphinx.Utterance, began: float) -> stt.SpeechData:
    """Give the words as LiveKit has them, `began` seconds into the stream."""
    words = [
        TimedString(
            word.text,
            start_time=round(began + word.start, 3),
            end_time=round(began + word.end, 3),
            confidence=round(word.confidence, 3),
        )
        for word in heard.words
    ]
    return stt.SpeechData(
        _ENGLISH,
        heard.text,
        start_time=round(began + heard.words[0].start, 3) if words else began,
        end_time=round(began + heard.words[-1].end, 3) if words else began,
        confidence=sum(word.confidence for word in heard.words) / max(1, len(words)),
        words=words,
    )


def _hummed(text: str) -> bool:
    return _HUMMED.issuperset(text.split())


def _doubtful(heard: sphinx.Utterance) -> bool:
    """It was a hum behind the end of somebody else's word."""
    return _hummed(heard.text) and all(word.confidence < _DOUBT for word in heard.words)


def _needs_worker() -> bool:
    try:
        sphinx.library()
    except NodeUnavailable:
        return True
    return False


def _refuse_other_languages(language: NotGivenOr[str]) -> None:
    if utils.is_given(language) and LanguageCode(language).language != "en":
        raise UsageError(f"pocketsphinx brings an English model only, not one for {language!r}")
