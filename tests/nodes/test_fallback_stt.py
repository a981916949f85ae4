"""Recognisers that stand in for one another: no word is lost with the one that dies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectionError

from antiphon import stt
from antiphon.nodes.stt import recognise

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit.agents import APIConnectOptions

FRAME = 320  # samples: 20 ms
FINAL, INTERIM = stt.SpeechEventType.FINAL_TRANSCRIPT, stt.SpeechEventType.INTERIM_TRANSCRIPT


class Ear(stt.STT[Any]):
    """Hears the number that a frame is made of as a word; a frame of zeros ends an utterance. Dies
    after `lives` frames, in its first `times` streams."""

    def __init__(self, *, lives: int | None = None, times: int = 1) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))
        self.lives, self.times = lives, times

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise NotImplementedError

    def stream(
        self,
        *,
        language: Any = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return Hearing(stt=self, conn_options=conn_options)


class Hearing(stt.RecognizeStream):
    async def _run(self) -> None:
        ear: Ear = self._stt  # type: ignore[assignment]
        ear.times -= 1
        left = ear.lives if ear.times >= 0 else None
        words: list[str] = []
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            if left is not None and (left := left - 1) < 0:
                await asyncio.sleep(0.1)  # meanwhile frames come, and are lost
                raise APIConnectionError("the recogniser is gone")
            word = f"w{int(np.frombuffer(frame.data, np.int16)[0])}"
            if word != "w0":
                words += [] if words[-1:] == [word] else [word]
                self._give(INTERIM, words)
            elif words:
                self._give(FINAL, words)
                words = []

    def _give(self, kind: stt.SpeechEventType, words: list[str]) -> None:
        heard = stt.SpeechData(language="en", text=" ".join(words))  # type: ignore[arg-type]
        self._event_ch.send_nowait(stt.SpeechEvent(type=kind, alternatives=[heard]))


async def speech(*words: int) -> AsyncGenerator[rtc.AudioFrame, None]:
    """Five frames of each word, in real time."""
    for word in words:
        for _ in range(5):
            pcm = np.full(FRAME, word, np.int16)
            yield rtc.AudioFrame(pcm.tobytes(), 16_000, 1, FRAME)
            await asyncio.sleep(0.02)


async def finals(engine: stt.STT[Any], *words: int) -> list[str]:
    heard = recognise(engine, None, speech(*words))
    return [event.alternatives[0].text async for event in heard if event.type is FINAL]


SAID = (1, 2, 3, 0, 4, 5, 6, 7, 0)


@pytest.mark.parametrize("lives", range(44))
async def test_no_word_is_lost_with_a_recogniser_that_dies(lives: int) -> None:
    dying, other = Ear(lives=lives, times=99), Ear()
    adapter = stt.FallbackAdapter([dying, other], max_retry_per_stt=0)
    assert await finals(adapter, *SAID) == ["w1 w2 w3", "w4 w5 w6 w7"]
    await adapter.aclose()


async def test_what_was_understood_before_is_not_said_twice() -> None:
    dying, other = Ear(lives=22, times=99), Ear()
    adapter = stt.FallbackAdapter([dying, other], max_retry_per_stt=0)
    assert await finals(adapter, *SAID) == ["w1 w2 w3", "w4 w5 w6 w7"]
    await adapter.aclose()


async def test_a_recogniser_that_dies_before_its_first_word_has_been_asked_in_vain_only() -> None:
    adapter = stt.FallbackAdapter([Ear(lives=0, times=99), Ear()], max_retry_per_stt=0)
    assert await finals(adapter, 1, 2, 0) == ["w1 w2"]
    await adapter.aclose()
