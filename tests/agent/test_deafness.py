"""When the user is not listened to: because the application asked for it, and for no longer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc
from livekit.agents import io

from tests.scripted import Call, Plain, at, hold, sentence

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Sequence

    from livekit.agents import ModelSettings, stt, vad

RATE, FRAME = 16_000, 320  # 20 ms
ONE = sentence(0)


class Noise(io.AudioInput):
    """Somebody who never stops."""

    def __init__(self) -> None:
        super().__init__(label="noise")

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(FRAME / RATE)
        return rtc.AudioFrame(b"\x01\x02" * FRAME, RATE, 1, FRAME)


class Listening(Plain):
    """Notes when its recogniser, and its detector, heard a sound and when silence."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.caller, call.voice)
        self.words: list[tuple[float, bool]] = []
        self.voices: list[tuple[float, bool]] = []
        self._vad: Any = self

    def detector(self) -> Listening:
        """As a VAD whose detector is a plain object."""
        return self

    def edges(self, frame: rtc.AudioFrame) -> Sequence[vad.VADEvent]:
        self.voices.append((asyncio.get_running_loop().time(), any(frame.data)))
        return ()

    def on(self, *_: object) -> None:
        """It has nothing to report."""

    off = on

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        async for frame in audio:
            self.words.append((asyncio.get_running_loop().time(), any(frame.data)))
        words: list[stt.SpeechEvent] = []
        for never in words:
            yield never


def listened(protected: bool = True, **options: Any) -> tuple[Call, Any, float, float]:
    """The agent says something at 1.0 and at 5.0; the call, the agent, when it could be heard."""

    def attach(call: Call) -> None:
        call.session.input.audio = Noise()

    def say(call: Call) -> None:
        call.say(ONE, allow_interruptions=not protected)

    call = hold(
        at(0.0, attach), at(1.0, say), at(5.0, say), agent=Listening, until=8.0, vad=None, **options
    )
    first = call.records("audible")[0].t
    return call, call.agent, first, call.records("gone")[0].t


def deaf(heard: list[tuple[float, bool]]) -> list[float]:
    return [moment for moment, sound in heard if not sound]


def test_words_over_a_protected_speech_are_heard_unless_they_are_to_be_discarded() -> None:
    _, agent, _, _ = listened()
    assert not deaf(agent.words)
    discards: Any = {"interruption": {"discard_audio_if_uninterruptible": True}}
    call, agent, begin, end = listened(turn_handling=discards)
    assert agent.voices
    assert not deaf(agent.voices)
    second = call.records("audible")[1].t
    assert all(begin <= moment <= end or moment >= second for moment in deaf(agent.words))
    assert len(deaf(agent.words)) == pytest.approx(2 * (end - begin) / 0.02, abs=2)
    _, agent, _, _ = listened(protected=False, turn_handling=discards)
    assert not deaf(agent.words)


def test_while_the_echo_canceller_learns_nothing_is_heard_and_then_everything() -> None:
    _, agent, begin, end = listened(protected=False, aec_warmup_duration=0.5)
    assert begin + 0.5 < end
    for heard in (agent.words, agent.voices):
        quiet = deaf(heard)
        assert quiet
        assert begin <= quiet[0] <= quiet[-1] < begin + 0.5 + 0.02  # once, and not again at 5.0
