"""Scripted models on LiveKit's base classes, and the same as plain generators.

The caller's frames say what they are: a frame whose first sample is not 0 is voiced. The detector
and the recogniser read just that, so they need no time of their own. The voice gives `STEP` ms of
sound for each letter and counts words in the samples, so that what was heard can be read off them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, llm, stt, tts, vad

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

IN_RATE = 16_000
OUT_RATE = 24_000
VOICED = rtc.AudioFrame(np.full(320, 1000, np.int16).tobytes(), IN_RATE, 1, 320)
COUGH = rtc.AudioFrame(np.full(320, 500, np.int16).tobytes(), IN_RATE, 1, 320)
SILENT = rtc.AudioFrame(bytes(640), IN_RATE, 1, 320)


@dataclass(frozen=True)
class Pace:
    """How the model and the voice of a case behave. Seconds; `speed` is times real time."""

    text: str = "Hello there, how are you today?"
    first_token: float = 0.0
    tokens_per_second: float = 0.0  # 0: all at once
    first_byte: float = 0.0
    speed: float = 0.0  # 0: all at once
    per_letter: float = 0.06  # seconds of sound for each letter
    per_word: float = 0.0  # seconds of sound for each word, besides
    words: str = "book a table"  # what the user is understood to say


def is_voiced(frame: rtc.AudioFrame) -> bool:
    return bool(frame.data[0])


async def tokens(pace: Pace) -> AsyncIterator[str]:
    """The reply, one word a token."""
    if pace.first_token:
        await asyncio.sleep(pace.first_token)
    for number, word in enumerate(pace.text.split(" ")):
        if number and pace.tokens_per_second:
            await asyncio.sleep(1 / pace.tokens_per_second)
        yield word if not number else " " + word


def sound(pace: Pace, text: str, first_word: int = 1) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Samples whose value is the number of the word being spoken."""
    parts = [
        np.full(round((pace.per_word + pace.per_letter * len(word)) * OUT_RATE), number, np.int16)
        for number, word in enumerate(text.split(), first_word)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


async def spoken(pace: Pace, text: str, first_word: int = 1) -> AsyncIterator[bytes]:
    """20 ms pieces of the sound, at the voice's speed."""
    if pace.first_byte:
        await asyncio.sleep(pace.first_byte)
    samples = sound(pace, text, first_word)
    for start in range(0, len(samples), 480):
        if start and pace.speed:
            await asyncio.sleep(0.02 / pace.speed)
        yield samples[start : start + 480].tobytes()


class ScriptedVAD(vad.VAD):
    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.02))

    def stream(self) -> vad.VADStream:
        return _VADStream(self)


class InlineVAD(ScriptedVAD):
    """The same as a plain object, pushed without a task: for plain nodes."""

    def detector(self) -> InlineVAD:
        return InlineVAD()

    def __init__(self) -> None:
        super().__init__()
        self._speaking = False

    def edges(self, frame: rtc.AudioFrame) -> list[vad.VADEvent]:
        voiced = is_voiced(frame)
        if voiced == self._speaking:
            return []
        self._speaking = voiced
        kind = vad.VADEventType
        if voiced:
            return [_event(kind.START_OF_SPEECH, 0, 0.02, 0.0, voiced)]
        return [_event(kind.END_OF_SPEECH, 0, 0.0, 0.02, voiced)]


class _VADStream(vad.VADStream):
    async def _main_task(self) -> None:
        speaking, lasted, at = False, 0.0, 0
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            voiced, at = is_voiced(frame), at + 320
            lasted = lasted + 0.02 if voiced == speaking else 0.02
            speech, silence = (lasted, 0.0) if voiced else (0.0, lasted)
            if voiced != speaking:
                kind = (
                    vad.VADEventType.START_OF_SPEECH if voiced else (vad.VADEventType.END_OF_SPEECH)
                )
                self._event_ch.send_nowait(_event(kind, at, speech, silence, voiced))
            speaking = voiced
            done = _event(vad.VADEventType.INFERENCE_DONE, at, speech, silence, voiced)
            self._event_ch.send_nowait(done)


def _event(
    kind: vad.VADEventType, at: int, speech: float, silence: float, voiced: bool
) -> vad.VADEvent:
    return vad.VADEvent(
        type=kind,
        samples_index=at,
        timestamp=at / IN_RATE,
        speech_duration=speech,
        silence_duration=silence,
        speaking=voiced,
        raw_accumulated_speech=speech,
        raw_accumulated_silence=silence,
    )


class ScriptedSTT(stt.STT[Any]):
    """Interim words with the first voiced frame, the final ones with the first silent one."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))
        self.pace = pace

    def stream(
        self, *, language: Any = None, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> stt.RecognizeStream:
        return _STTStream(stt=self, conn_options=conn_options)

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise AssertionError("only streamed")


class _STTStream(stt.RecognizeStream):
    async def _run(self) -> None:
        pace: Pace = self._stt.pace  # type: ignore[attr-defined]
        async for event in recognised(pace, self._input_ch):
            self._event_ch.send_nowait(event)


async def recognised(pace: Pace, frames: AsyncIterable[Any]) -> AsyncIterator[stt.SpeechEvent]:
    speaking = worded = False
    async for frame in frames:
        if not isinstance(frame, rtc.AudioFrame):
            continue
        voiced = is_voiced(frame)
        if voiced:
            worded = frame.data[0] == VOICED.data[0]
        if voiced != speaking and worded:
            kind = stt.SpeechEventType
            said = stt.SpeechData(text=pace.words, language="en")  # type: ignore[arg-type]
            yield stt.SpeechEvent(
                type=kind.INTERIM_TRANSCRIPT if voiced else kind.FINAL_TRANSCRIPT,
                alternatives=[said],
            )
        speaking = voiced


class ScriptedLLM(llm.LLM[Any]):
    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self.pace = pace

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        return _LLMStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _LLMStream(llm.LLMStream):
    async def _run(self) -> None:
        async for token in tokens(self._llm.pace):  # type: ignore[attr-defined]
            delta = llm.ChoiceDelta(role="assistant", content=token)
            self._event_ch.send_nowait(llm.ChatChunk(id="scripted", delta=delta))


class ScriptedTTS(tts.TTS[Any]):
    """Takes whole texts; words are numbered on through the texts of one reply."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=OUT_RATE,
            num_channels=1,
        )
        self.pace = pace
        self.said = 0

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        first, self.said = self.said + 1, self.said + len(text.split())
        return _TTSStream(first, tts=self, input_text=text, conn_options=conn_options)


class _TTSStream(tts.ChunkedStream):
    def __init__(self, first: int, **common: Any) -> None:
        super().__init__(**common)
        self._first = first

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="scripted", sample_rate=OUT_RATE, num_channels=1, mime_type="audio/pcm"
        )
        pace: Pace = self._tts.pace  # type: ignore[attr-defined]
        async for piece in spoken(pace, self._input_text, self._first):
            output_emitter.push(piece)
