"""An agent whose words are notes: what of it was heard can be read from the sound.

Each word is a tone of its own, `LENGTH` seconds long, `STEP` Hz above the one before it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from livekit import rtc
from livekit.agents import LanguageCode, stt
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

from antiphon import Agent
from tests.rooms import calling

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from livekit.agents import ModelSettings, llm
    from numpy.typing import NDArray

RATE: Final = 24_000
LENGTH: Final = 0.25  # seconds of each word
LOWEST: Final = 300  # Hz
STEP: Final = 60  # Hz between one word and the next
WORDS: Final = (
    "ba da fa ga ha ka la ma na pa ra sa ta va wa ya za be de fe ge he ke le me ne".split()
)
LOUD: Final = 8000


def song(words: int, first: int = 0) -> str:
    """One sentence of so many words."""
    return " ".join(WORDS[first : first + words]).capitalize() + "."


def note(word: str) -> NDArray[np.int16]:
    frequency = LOWEST + STEP * WORDS.index(word.strip(".,!?").lower())
    at = np.arange(round(RATE * LENGTH)) / RATE
    return (LOUD * np.sin(2 * np.pi * frequency * at)).astype(np.int16)


def sung(sound: NDArray[np.int16]) -> list[str]:
    """The words in what a caller heard, in order, by the strongest tone of each 50 ms, twice."""
    size = calling.RATE // 20
    found: list[str] = []
    last = None
    for at in range(0, len(sound) - size, size // 2):
        piece = sound[at : at + size].astype(float)
        if np.abs(piece).max() < calling.SOUND:
            continue
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(size), 8 * size))
        frequency = np.argmax(spectrum) * calling.RATE / (8 * size)
        number = round((frequency - LOWEST) / STEP)
        sure, last = number == last, number
        if sure and 0 <= number < len(WORDS) and WORDS[number] not in found[-1:]:
            found.append(WORDS[number])
    return found


def plain(text: str) -> list[str]:
    return [word.strip(".,!?").lower() for word in text.split()]


class Singer(Agent):
    """Answers with `replies`, one after the other. `words` takes what the recogniser is to say."""

    def __init__(self, replies: list[str], **options: Any) -> None:
        super().__init__(instructions="Sing.", **options)
        self.words: asyncio.Queue[str] = asyncio.Queue()
        self.replies = replies

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        while True:
            said = stt.SpeechData(language=LanguageCode("en"), text=await self.words.get())
            yield stt.SpeechEvent(stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[said])

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[str, None]:
        users = sum(item.type == "message" and item.role == "user" for item in chat_ctx.items)
        yield self.replies[users - 1]

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        end = 0.0
        async for chunk in text:
            for word in chunk.split():
                end += LENGTH
                frame = rtc.AudioFrame(note(word).tobytes(), RATE, 1, round(RATE * LENGTH))
                frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [TimedString(word, end_time=end)]
                yield frame
