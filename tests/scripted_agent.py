"""The scripted agent: words that mean nothing, a quick voice, plain generators."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from antiphon import Agent, ModelSettings, simulate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable

    from livekit import rtc
    from livekit.agents import llm
    from livekit.agents.stt import SpeechEvent

    from antiphon.simulate import Caller

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


class Voice(simulate.Voice):
    """Speaks six times as fast as people do, so that a sweep is short."""

    def __init__(self, *, first: float = 0.1, speed: float = 4.0, timed: bool = True) -> None:
        super().__init__(first=first, speed=speed, letter=LETTER / RATE, timed=timed)


class Plain(Agent):
    """An agent of plain generators: `replies` are its answers, in the order it is asked."""

    def __init__(
        self,
        caller: Caller,
        voice: simulate.Voice,
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
