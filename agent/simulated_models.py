"""A scripted model and a scripted voice on LiveKit's base classes, with exact times.

The voice makes one sample a millisecond, and the value of a sample is the number of the word it
belongs to (1 for the first word it ever made): so what was heard can be counted from the samples
that were really played, and owes nothing to the session's own account of it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, llm, tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

from antiphon.pipeline.errors import AntiphonError, UsageError
from antiphon.pipeline.reply import SPEAKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from antiphon.pipeline.reply import Reply

RATE: Final = 1000  # samples per second
WORDS: Final = 32_767  # a sample is 16 bits


class ScriptError(AntiphonError):
    """The conversation did not go as its script says; the message has what happened instead."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What a scripted model answers: `text`, then calls of tools, each a name and arguments."""

    text: str = ""
    tools: tuple[tuple[str, dict[str, Any]], ...] = ()

    def and_calls(self, tool: str, /, **arguments: Any) -> Calls:
        """The same, and one more call in parallel."""
        return Calls(self.text, (*self.tools, (tool, arguments)))


def calls(tool: str, /, **arguments: Any) -> Calls:
    """An answer that calls a tool: `calls("book", day="Friday")`.

    With words before it: `Calls("Let me see.").and_calls("book", day="Friday")`.
    """
    return Calls().and_calls(tool, **arguments)


Answer = str | Calls
Answers = Sequence[Answer] | Callable[[llm.ChatContext], Answer]


class ScriptedLLM(llm.LLM[Any]):
    """Gives `replies` in order, or what a function makes of the chat context.

    The first token comes after `first_token` seconds, then `tokens_per_second` words a second. An
    answer that was only prepared, and thrown away because the caller went on, is given again.
    `asked` has the context of every request.
    """

    def __init__(
        self,
        replies: Answers = (),
        *,
        first_token: float = 0.2,
        tokens_per_second: float = 50.0,
    ) -> None:
        super().__init__()
        if isinstance(replies, str):
            raise UsageError(f"llm= takes a list of replies: [{replies!r}]")
        self.replies = replies
        self.first_token = first_token
        self.token = 1 / tokens_per_second  # seconds
        self.asked: list[llm.ChatContext] = []
        self._given = 0
        self._prepared: Reply | None = None  # what the last answer was for

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        self.asked.append(chat_ctx)
        answer = self._answer(chat_ctx)
        return Thinking(
            self, answer, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options
        )

    def _answer(self, chat_ctx: llm.ChatContext) -> Answer:
        if callable(self.replies):
            return self.replies(chat_ctx)
        reply, last = SPEAKING.get(), self._prepared
        if last is not None and last is not reply and not last.confirmed:
            self._given -= 1
        self._prepared = None
        if self._given >= len(self.replies):
            raise ScriptError(_missing(self._given, chat_ctx))
        self._prepared = reply
        self._given += 1
        return self.replies[self._given - 1]


def _missing(given: int, chat_ctx: llm.ChatContext) -> str:
    said = [m.text_content for m in chat_ctx.messages() if m.role == "user"]
    after = f" (the user's last words were {said[-1]!r})" if said else ""
    return (
        f"the agent asked its model for reply {given + 1}{after}, and the script has {given}: "
        "write llm=[…] with all of them, or llm=OWN to keep the model that the agent names"
    )


class Thinking(llm.LLMStream):
    """One answer, token by token."""

    def __init__(self, model: ScriptedLLM, answer: Answer, **common: Any) -> None:
        self.answer = Calls(answer) if isinstance(answer, str) else answer
        self.model = model
        super().__init__(model, **common)

    async def _run(self) -> None:
        await asyncio.sleep(self.model.first_token)
        for token in re.findall(r"\S+\s*", self.answer.text.rstrip() + " "):
            self._give(content=token)
            await asyncio.sleep(self.model.token)
        for number, (name, arguments) in enumerate(self.answer.tools):
            call_id = f"call_{len(self.model.asked)}_{number}"
            call = llm.FunctionToolCall(name=name, arguments=json.dumps(arguments), call_id=call_id)
            self._give(tool_calls=[call])

    def _give(self, **delta: Any) -> None:
        choice = llm.ChoiceDelta(role="assistant", **delta)
        self._event_ch.send_nowait(llm.ChatChunk(id="scripted", delta=choice))


class Voice:
    """Makes the sound of words and remembers it: `made[n - 1]` is the word of sample value n."""

    def __init__(
        self, *, first: float = 0.1, speed: float = 4.0, letter: float = 0.08, timed: bool = True
    ) -> None:
        self.first = first  # seconds to the first sample of each text
        self.speed = speed  # times real time
        self.letter = letter  # seconds of sound for each character of a word
        self.timed = timed  # it says when each word ends
        self.made: list[str] = []
        self.lengths: list[int] = []
        self.texts: list[str] = []  # asked for, in order
        self.starts: set[int] = set()  # the values that begin a text

    def frames(self, text: str, start: float = 0.0) -> list[rtc.AudioFrame]:
        """The sound of `text`, one frame a word; `start`: seconds made before it."""
        frames = []
        self.starts.add(len(self.made) + 1)
        for spoken, length in zip(text.split(), self.length(text, start), strict=True):
            self.made.append(spoken)
            self.lengths.append(length)
            if len(self.made) > WORDS:
                raise ScriptError(f"a scripted voice has {WORDS} words; make shorter simulations")
            pcm = np.full(length, len(self.made), np.int16)
            start += length / RATE
            frame = rtc.AudioFrame(pcm.tobytes(), RATE, 1, length)
            if self.timed:
                frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [TimedString(spoken, end_time=start)]
            frames.append(frame)
        return frames

    def length(self, text: str, start: float) -> list[int]:
        """Samples of each word; `start` as in `frames`."""
        return [round(self.letter * RATE * len(spoken)) for spoken in text.split()]

    async def speak(self, texts: AsyncIterable[str]) -> AsyncGenerator[rtc.AudioFrame, None]:
        """A `tts_node`: each text after `first` seconds, its words as they are made."""
        start = 0.0
        async for text in texts:
            self.texts.append(text)
            await asyncio.sleep(self.first)
            for frame in self.frames(text, start):
                yield frame
                start += frame.duration
                await asyncio.sleep(frame.duration / self.speed)


class ScriptedTTS(tts.TTS[Any]):
    """A voice with exact times, for whole texts or, `streaming`, for a stream of them.

    The first byte of each text comes after `first_byte` seconds, the rest at `speed` times real
    time; each character of a word lasts `letter` seconds. With `timed` it tells when a word ends.
    """

    def __init__(
        self,
        *,
        first_byte: float = 0.1,
        letter: float = 0.08,
        speed: float = 4.0,
        timed: bool = True,
        streaming: bool = False,
        voice: Voice | None = None,
    ) -> None:
        self.voice = voice or Voice(first=first_byte, speed=speed, letter=letter, timed=timed)
        capabilities = tts.TTSCapabilities(streaming=streaming, aligned_transcript=self.voice.timed)
        super().__init__(capabilities=capabilities, sample_rate=RATE, num_channels=1)

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
        model: ScriptedTTS = self._tts  # type: ignore[assignment]
        output_emitter.initialize(
            request_id="said", sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
        )
        await _emit(model.voice, self.input_text, output_emitter, 0.0)


class _Streaming(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        model: ScriptedTTS = self._tts  # type: ignore[assignment]
        output_emitter.initialize(
            request_id="said", sample_rate=RATE, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id="1")
        start = 0.0
        async for text in self._input_ch:
            if isinstance(text, str):
                self._mark_started()
                start = await _emit(model.voice, text, output_emitter, start)
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
