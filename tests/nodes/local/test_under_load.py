"""Four people are heard and answered at once, and no engine keeps the event loop from the others.

What is measured is what the loop's own thread computes in one step: how long a machine lets that
wait is the machine's, and no test's.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from livekit import rtc
from livekit.agents.stt import SpeechEventType

from antiphon.nodes.local.stt import PocketsphinxSTT
from antiphon.nodes.local.tts import TTS
from antiphon.nodes.local.vad import WebRTCVAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

pytestmark = pytest.mark.realtime

SESSIONS: Final = 4
LONGEST: Final = 0.005  # seconds of a processor
RATE: Final = 16_000
FRAME: Final = RATE // 50
STORY: Final = "On a rock far out at sea there stood a lighthouse, and in it lived a keeper."


async def heard(engine: PocketsphinxSTT, detector: WebRTCVAD, sound: NDArray[np.int16]) -> int:
    """How many finals there are for a sentence that is spoken in half its time."""
    voices = detector.stream()
    async with engine.stream() as words, aclosing(voices):
        finals = 0

        async def count() -> None:
            nonlocal finals
            async for event in words:
                finals += event.type is SpeechEventType.FINAL_TRANSCRIPT

        counting = asyncio.create_task(count())
        for at in range(0, len(sound) - FRAME, FRAME):
            frame = rtc.AudioFrame(sound[at : at + FRAME].tobytes(), RATE, 1, FRAME)
            words.push_frame(frame)
            voices.push_frame(frame)
            await asyncio.sleep(0.01)
        words.end_input()
        await counting
    return finals


async def said(engine: TTS) -> float:
    """Seconds of the story."""
    async with engine.synthesize(STORY) as speech:
        return sum([audio.frame.duration async for audio in speech])


async def test_no_engine_keeps_the_event_loop_for_longer_than_five_milliseconds(
    say: Callable[..., NDArray[np.int16]], monkeypatch: pytest.MonkeyPatch
) -> None:
    recogniser, detector, voice = PocketsphinxSTT(), WebRTCVAD(), TTS()
    sound = np.concatenate([say("what time is it in london right now"), np.zeros(RATE, np.int16)])
    await asyncio.gather(heard(recogniser, detector, sound), said(voice))  # it is loaded now
    steps: list[float] = []
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> Any:
        began = time.thread_time()
        run(handle)
        steps.append(time.thread_time() - began)

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    listening = [heard(recogniser, detector, sound) for _ in range(SESSIONS)]
    speaking = [said(voice) for _ in range(SESSIONS)]
    told = await asyncio.gather(*listening, *speaking)
    monkeypatch.undo()
    assert min(told) >= 1
    assert len(steps) > 1000
    assert sorted(steps)[-1] <= LONGEST
