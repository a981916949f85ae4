"""The contestants behind one interface: ours, LiveKit's session, the base classes alone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

from livekit import agents as livekit
from livekit import rtc
from livekit.agents import io
from livekit.agents.voice.transcription import TranscriptSynchronizer

import antiphon
from bench.ends import Caller, Counting, OurSink, TheirSink
from bench.models import (
    OUT_RATE,
    InlineVAD,
    Pace,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    ScriptedVAD,
    recognised,
    spoken,
    tokens,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

QUICK = {
    "endpointing": {"min_delay": 0.0, "max_delay": 0.0},
    "interruption": {"min_duration": 0.02, "false_interruption_timeout": 0.5},
}


class Contestant(Protocol):
    """One session with its two ends; `heard_text` is its history's last assistant message."""

    caller: Caller
    count: Counting

    @property
    def sink(self) -> OurSink | TheirSink: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def history(self) -> list[tuple[str, str]]: ...


def frame(piece: bytes) -> rtc.AudioFrame:
    return rtc.AudioFrame(piece, OUT_RATE, 1, len(piece) // 2)


class Plain:
    """The nodes as plain generators, for either Agent class."""

    pace: Pace
    said = 0

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: Any
    ) -> AsyncIterator[Any]:
        async for event in recognised(self.pace, audio):
            yield event

    async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> AsyncIterator[str]:
        self.said = 0
        async for token in tokens(self.pace):
            yield token

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: Any
    ) -> AsyncIterator[rtc.AudioFrame]:
        async for chunk in text:
            first, self.said = self.said + 1, self.said + len(chunk.split())
            async for piece in spoken(self.pace, chunk, first):
                yield frame(piece)


class OurPlainAgent(Plain, antiphon.Agent):
    pass


class TheirPlainAgent(Plain, livekit.Agent):
    pass


class Ours:
    """`plain` overrides the nodes; otherwise the models are on LiveKit's base classes."""

    def __init__(
        self, pace: Pace, *, plain: bool, quick: bool = True, vad: Any = None, foreign: bool = False
    ) -> None:
        self.caller = Caller()
        self.tts = ScriptedTTS(pace)
        self.sink: OurSink | TheirSink = TheirSink() if foreign else OurSink()
        self.count = self.sink.count
        turns: Any = QUICK if quick else None
        models: Any = {}
        if not plain:
            models = {"stt": ScriptedSTT(pace), "llm": ScriptedLLM(pace), "tts": self.tts}
        self.session: antiphon.AgentSession[None] = antiphon.AgentSession(
            vad=vad or (InlineVAD() if plain else ScriptedVAD()),
            turn_handling=turns,
            user_away_timeout=None,
            **models,
        )
        self.agent: antiphon.Agent = antiphon.Agent(instructions="x")
        if plain:
            self.agent = OurPlainAgent(instructions="x")
            self.agent.pace = pace

    async def start(self) -> None:
        self.session.input.audio = self.caller
        self.session.output.audio = self.sink
        await self.session.start(self.agent)

    async def close(self) -> None:
        await self.session.aclose()
        if isinstance(self.sink, TheirSink):
            await self.sink.aclose()

    def history(self) -> list[tuple[str, str]]:
        return [(i.role, i.text_content or "") for i in self.session.history.messages()]


class LiveKit:
    """The peer, with its default nodes or the same plain ones."""

    def __init__(self, pace: Pace, *, plain: bool, quick: bool = True) -> None:
        self.caller = Caller()
        self.tts = ScriptedTTS(pace)
        self.sink = TheirSink()
        self.count = self.sink.count
        turns: Any = {"turn_detection": "vad", **(QUICK if quick else {})}
        turns["interruption"] = {**turns.get("interruption", {}), "mode": "vad"}
        turns["preemptive_generation"] = {"enabled": False} if quick else {"enabled": True}
        self.session: livekit.AgentSession[None] = livekit.AgentSession(
            vad=ScriptedVAD(),
            stt=ScriptedSTT(pace),
            llm=ScriptedLLM(pace),
            tts=self.tts,
            turn_handling=turns,
            aec_warmup_duration=None,
            user_away_timeout=None,
            session_close_transcript_timeout=0.01,
        )
        self.agent: livekit.Agent = livekit.Agent(instructions="x")
        if plain:
            self.agent = TheirPlainAgent(instructions="x")
            self.agent.pace = pace

    async def start(self) -> None:
        self.session.input.audio = self.caller
        both = TranscriptSynchronizer(next_in_chain_audio=self.sink, next_in_chain_text=Unread())
        self.session.output.audio = both.audio_output
        self.session.output.transcription = both.text_output
        await self.session.start(self.agent, record=False)
        self._both = both

    async def close(self) -> None:
        await self.session.aclose()
        await self._both.aclose()
        await self.sink.aclose()

    def history(self) -> list[tuple[str, str]]:
        return [(i.role, i.text_content or "") for i in self.session.history.messages()]


class Unread(io.TextOutput):
    """Transcripts for nobody: with one, LiveKit keeps its history in step with the sound."""

    def __init__(self) -> None:
        super().__init__(label="unread", next_in_chain=None)

    async def capture_text(self, text: str) -> None:
        pass

    def flush(self) -> None:
        pass


class Bare:
    """LiveKit's base classes wired by hand: no session, and "silent" is the end of a turn."""

    def __init__(self, pace: Pace) -> None:
        self.caller = Caller()
        self.sink = OurSink()
        self.count = self.sink.count
        self._pace = pace
        self._said: list[tuple[str, str]] = []
        self._task: asyncio.Task[None] | None = None
        self._reply: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        await asyncio.sleep(0)

    async def close(self) -> None:
        for task in (self._reply, self._task):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    def history(self) -> list[tuple[str, str]]:
        return self._said

    async def _run(self) -> None:
        hearing = ScriptedVAD().stream()
        async with ScriptedSTT(self._pace).stream() as words:
            events = asyncio.create_task(self._read_words(words))
            try:
                reading = asyncio.create_task(self._read_voice(hearing))
                async for sound in self.caller:
                    hearing.push_frame(sound)
                    words.push_frame(sound)
            finally:
                events.cancel()
                reading.cancel()
                await hearing.aclose()

    async def _read_voice(self, hearing: livekit.vad.VADStream) -> None:
        async for event in hearing:
            if event.type is livekit.vad.VADEventType.END_OF_SPEECH:
                self._reply = asyncio.create_task(self._answer())

    async def _read_words(self, words: livekit.stt.RecognizeStream) -> None:
        async for _ in words:
            pass

    async def _answer(self) -> None:
        ctx = livekit.ChatContext.empty()
        ctx.add_message(role="user", content=self._pace.words)
        text = ""
        async with ScriptedLLM(self._pace).chat(chat_ctx=ctx) as stream:
            async for chunk in stream:
                text += (chunk.delta.content or "") if chunk.delta else ""
        async with ScriptedTTS(self._pace).synthesize(text) as voice:
            async for audio in voice:
                self.sink.write(audio.frame.data)


class Harness:
    """The two ends alone: the caller's frames are read and a reply's frames are played."""

    def __init__(self, pace: Pace) -> None:
        self.caller = Caller()
        self.sink = OurSink()
        self.count = self.sink.count
        self._pace = pace
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def history(self) -> list[tuple[str, str]]:
        return []

    async def _run(self) -> None:
        voiced = False
        async for sound in self.caller:
            was, voiced = voiced, bool(sound.data[0])
            if was and not voiced:
                async with aclosing(spoken(self._pace, self._pace.text)) as pieces:  # type: ignore[type-var]
                    async for piece in pieces:
                        self.sink.write(memoryview(piece).cast("h"))
