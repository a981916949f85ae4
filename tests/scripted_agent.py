"""The scripted agent: words that mean nothing, a voice that numbers them, plain generators."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import numpy as np
from livekit import rtc
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

from antiphon import Agent, ModelSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable

    from livekit.agents import llm
    from livekit.agents.stt import SpeechEvent

    from tests.scripted_caller import Caller

RATE = 1000  # samples per second
LETTER = 12  # samples (milliseconds) the voice takes for a character, the marks included

_SYLLABLES = [c + v for c in "bdfgklmnprtz" for v in "aeiou"]


def word(number: int) -> str:
    """The `number`-th of 216,000 words that mean nothing in any language."""
    n, low = divmod(number, 60)
    high, middle = divmod(n, 60)
    return _SYLLABLES[high] + _SYLLABLES[middle] + _SYLLABLES[low] + "x"


def sentence(first: int, words: int = 6) -> str:
    """Words `first`, `first + 1` … as one sentence."""
    return " ".join(map(word, range(first, first + words))).capitalize() + "."


class Voice:
    """Makes the sound of words and remembers it: `made[n - 1]` is the word of sample value n."""

    def __init__(self, *, first: float = 0.1, speed: float = 4.0, timed: bool = True) -> None:
        self.first = first  # seconds to the first sample of each text
        self.speed = speed  # times real time
        self.timed = timed
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
            pcm = np.full(self.lengths[-1], len(self.made), np.int16)
            start += len(pcm) / RATE
            frame = rtc.AudioFrame(pcm.tobytes(), RATE, 1, len(pcm))
            if self.timed:
                frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [TimedString(spoken, end_time=start)]
            frames.append(frame)
        return frames

    def length(self, text: str, start: float) -> list[int]:
        """Samples of each word; `start` as in `frames`."""
        return [LETTER * len(spoken) for spoken in text.split()]

    async def speak(self, texts: AsyncIterable[str]) -> AsyncGenerator[rtc.AudioFrame, None]:
        start = 0.0
        async for text in texts:
            self.texts.append(text)
            await asyncio.sleep(self.first)
            for frame in self.frames(text, start):
                yield frame
                start += frame.duration
                await asyncio.sleep(frame.duration / self.speed)


class Plain(Agent):
    """An agent of plain generators: `replies` are its answers, in the order it is asked."""

    def __init__(
        self,
        caller: Caller,
        voice: Voice,
        replies: Iterable[str] | None = None,
        *,
        think: float = 0.2,
        token: float = 0.02,
    ) -> None:
        super().__init__(instructions="Answer.")
        self.caller = caller
        self.voice = voice
        self.think = think  # seconds to the first token
        self.token = token  # seconds between tokens
        self.asked: list[llm.ChatContext] = []
        self._replies = iter(replies if replies is not None else stories())

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[SpeechEvent, None]:
        while True:
            yield await self.caller.speech.get()

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[str, None]:
        self.asked.append(chat_ctx)
        text = next(self._replies)
        await asyncio.sleep(self.think)
        for token in text.split():
            yield token + " "
            await asyncio.sleep(self.token)

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        speech = self.voice.speak(text)
        try:
            async for frame in speech:
                yield frame
        finally:
            await speech.aclose()


def stories(sentences: int = 4, words: int = 6) -> Iterable[str]:
    """Answers without end, each of words never used before."""
    for first in itertools.count(0, 100):
        yield " ".join(sentence(first + n * words, words) for n in range(sentences))
