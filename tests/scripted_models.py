"""Scripted models on LiveKit's own base classes, for what only they do: tasks, retries, framing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit.agents import APIConnectOptions, APIError, llm, stt, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, TimedString

from antiphon import Agent
from tests.scripted import RATE, Call, Caller, Voice, stories

if TYPE_CHECKING:
    from collections.abc import Iterable

ONCE = APIConnectOptions(max_retry=0, retry_interval=0.1, timeout=10.0)


class Ears(stt.STT[Any]):
    """A streaming recogniser that hears what the caller's script says it hears."""

    def __init__(self, caller: Caller, *, streaming: bool = True) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(streaming=streaming, interim_results=True)
        )
        self.caller = caller
        self.utterances: list[str] = []  # for whole utterances: what each is understood as

    def stream(
        self, *, language: Any = NOT_GIVEN, conn_options: APIConnectOptions = ONCE
    ) -> stt.RecognizeStream:
        return _Hearing(stt=self, conn_options=conn_options)

    async def _recognize_impl(
        self, buffer: Any, *, language: Any = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        text = self.utterances.pop(0)
        self.caller.finals.append(text)
        said = [stt.SpeechData(text=text, language="")]  # type: ignore[arg-type]
        return stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=said)


class _Hearing(stt.RecognizeStream):
    async def _run(self) -> None:
        caller = self._stt.caller  # type: ignore[attr-defined]
        while True:
            self._event_ch.send_nowait(await caller.speech.get())


class Mind(llm.LLM[Any]):
    """A language model that gives `replies`, one a request, token by token."""

    def __init__(
        self, replies: Iterable[str] | None = None, *, think: float = 0.2, token: float = 0.02
    ) -> None:
        super().__init__()
        self.replies = iter(replies if replies is not None else stories())
        self.think, self.token = think, token
        self.asked: list[llm.ChatContext] = []

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        self.asked.append(chat_ctx)
        return Thinking(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class Thinking(llm.LLMStream):
    async def _run(self) -> None:
        mind: Mind = self._llm  # type: ignore[assignment]
        text = next(mind.replies)
        await asyncio.sleep(mind.think)
        for token in text.split():
            delta = llm.ChoiceDelta(role="assistant", content=token + " ")
            self._event_ch.send_nowait(llm.ChatChunk(id="scripted", delta=delta))
            await asyncio.sleep(mind.token)


class Mouth(tts.TTS[Any]):
    """A voice for whole texts, or one that streams; with or without the times of its words."""

    def __init__(self, voice: Voice, *, streaming: bool = False) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=streaming, aligned_transcript=voice.timed),
            sample_rate=RATE,
            num_channels=1,
        )
        self.voice = voice

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return _Saying(tts=self, input_text=text, conn_options=conn_options)

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.SynthesizeStream:
        return _Streaming(tts=self, conn_options=conn_options)


class _Saying(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        mouth: Mouth = self._tts  # type: ignore[assignment]
        output_emitter.initialize(
            request_id="said", sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
        )
        await _emit(mouth.voice, self.input_text, output_emitter, 0.0)


class _Streaming(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        mouth: Mouth = self._tts  # type: ignore[assignment]
        output_emitter.initialize(
            request_id="said", sample_rate=RATE, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id="1")
        start = 0.0
        async for text in self._input_ch:
            if isinstance(text, str):
                self._mark_started()
                start = await _emit(mouth.voice, text, output_emitter, start)
        output_emitter.end_segment()


async def _emit(voice: Voice, text: str, emitter: tts.AudioEmitter, start: float) -> float:
    voice.texts.append(text)
    await asyncio.sleep(voice.first)
    for frame in voice.frames(text, start):
        spoken = voice.made[int(np.frombuffer(frame.data, np.int16)[-1]) - 1]
        start += frame.duration
        if voice.timed:
            emitter.push_timed_transcript(TimedString(spoken, end_time=start))
        emitter.push(bytes(frame.data))
        await asyncio.sleep(frame.duration / voice.speed)
    return start


def modelled(call: Call, *, streaming: bool = False, replies: Iterable[str] | None = None) -> Agent:
    """An agent of LiveKit models throughout."""
    return Agent(
        instructions="Answer.",
        stt=Ears(call.caller),
        llm=Mind(replies),
        tts=Mouth(call.voice, streaming=streaming),
    )


__all__ = ["ONCE", "APIError", "Ears", "Mind", "Mouth", "modelled"]
