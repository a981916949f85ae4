"""Recognisers and voices of LiveKit Inference, by name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc
from livekit.agents import stt, utils
from livekit.agents.metrics import TTSModelUsage

from antiphon import Agent, AgentSession, inference, tts
from antiphon.conformance import gateway
from antiphon.conformance.gateway import Gateway
from antiphon.conformance.talking import NO_DRAFT
from antiphon.conformance.wire import Server
from antiphon.nodes import models
from antiphon.nodes.stt import recognise
from antiphon.simulate import (
    OWN,
    ScriptedSTT,
    ScriptedVAD,
    calling,
    interrupts,
    listens,
    says,
)
from tests.providers.voices import Voices, voicing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIVEKIT_INFERENCE_API_KEY", "LIVEKIT_INFERENCE_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LIVEKIT_API_KEY", gateway.KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", gateway.SECRET)


async def silence() -> AsyncGenerator[rtc.AudioFrame, None]:
    for _ in range(50):
        yield rtc.AudioFrame(bytes(640), 16_000, 1, 320)
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("name", "language"),
    [("deepgram/nova-3:en", "en"), ("assemblyai/universal-streaming", None), ("auto", None)],
)
async def test_a_recogniser_by_name_hears_and_is_told_its_language(
    name: str, language: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with utils.http_context.open(), voicing(Voices("a table for four")) as voices:
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", voices.url)
        engine = models.load_stt(name)
        heard = [event async for event in recognise(engine, None, silence())]
        await engine.aclose()
    (created,) = voices.created
    assert created["settings"].get("language") == language
    assert created.get("model") == (None if name == "auto" else name.partition(":")[0])
    assert voices.heard == pytest.approx(1.0)
    texts = [(event.type, event.alternatives[0].text) for event in heard if event.alternatives]
    assert (stt.SpeechEventType.INTERIM_TRANSCRIPT, "a table") in texts
    assert (stt.SpeechEventType.FINAL_TRANSCRIPT, "a table for four") in texts


async def test_a_call_with_a_model_and_a_voice_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Server(Gateway(), "Of course. There is a table at eight.")
    async with utils.http_context.open(), voicing(Voices(), chat=chat) as voices:
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", voices.url)
        session: AgentSession[Any] = AgentSession(
            stt=ScriptedSTT(),
            vad=ScriptedVAD(),
            llm="openai/gpt-4.1-mini",
            tts="cartesia/sonic-3:voice-of-hers",
            turn_handling=NO_DRAFT,
        )
        agent = Agent(instructions="Be brief.")
        async with calling(agent, session=session, llm=OWN, tts=OWN) as call:
            await call.play(says("a table please"), listens())
        for model in (session.llm, session.tts):
            assert model is not None
            await model.aclose()
    assert chat.refused == []
    assert call.said("agent") == ["Of course. There is a table at eight."]
    assert " ".join(voices.spoken).split() == "Of course. There is a table at eight.".split()
    assert voices.created[0]["voice"] == "voice-of-hers"
    assert set(voices.models) == {"cartesia/sonic-3"}
    played = sum(len(pcm) for _, pcm in call.played) / session.tts.sample_rate  # type: ignore[union-attr]
    assert played == pytest.approx(0.2 * 8, abs=0.05)
    (usage,) = [each for each in session.usage.model_usage if isinstance(each, TTSModelUsage)]
    assert usage.model == "cartesia/sonic-3"
    assert session.cost.unknown == ("cartesia/sonic-3",)


STORY = " ".join(f"Sentence number {n} tells of trains and of rain." for n in range(1, 21))


async def test_after_a_barge_in_a_voice_by_name_speaks_on_another_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with utils.http_context.open(), voicing(Voices()) as voices:
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", voices.url)
        session: AgentSession[Any] = AgentSession(
            stt=ScriptedSTT(),
            vad=ScriptedVAD(),
            tts="cartesia/sonic-3:voice-of-hers",
            turn_handling=NO_DRAFT,
        )
        agent = Agent(instructions="Be brief.")
        async with calling(agent, session=session, llm=[STORY, "Fine."], tts=OWN) as call:
            await call.play(says("a story please"), interrupts("stop now", into=3.0), listens())
        assert session.tts is not None
        await session.tts.aclose()
    story, answer = call.said("agent")
    assert STORY.startswith(story.rstrip(".,"))
    assert answer == "Fine."
    assert len(voices.created) == 2  # LiveKit's pool closes the first with its next request
    assert voices.spoken[-1].split() == ["Fine."]
    assert voices.left[0] < voices.left[1]


@pytest.mark.parametrize("lives", [0, 1, 4])
async def test_a_voice_that_dies_in_a_sentence_is_followed_by_one_that_says_the_rest(
    lives: int,
) -> None:
    said = "Of course, there is a table at eight."
    async with (
        utils.http_context.open(),
        voicing(Voices(lives=lives)) as dying,
        voicing(Voices()) as other,
    ):
        engines: list[tts.TTS[Any]] = [  # the keys are in the environment
            inference.TTS("cartesia/sonic-3", base_url=voices.url) for voices in (dying, other)
        ]
        adapter = tts.FallbackAdapter(engines, max_retry_per_tts=0)
        agent = Agent(instructions="Be brief.", tts=adapter)
        async with calling(agent, llm=[said], tts=OWN, turn_handling=NO_DRAFT) as call:
            await call.play(says("a table please"), listens())
        await adapter.aclose()
        for engine in engines:
            await engine.aclose()
    assert call.said("agent") == [said]
    rest = " ".join(" ".join(other.spoken).split())
    assert rest
    assert rest in said
    assert said.startswith(rest) is (lives < 2)  # its client lets less than a word go with it
    assert call.reported("error") == []
    played = sum(len(pcm) for _, pcm in call.played) / adapter.sample_rate
    assert 1.55 < played < 1.6 + 2 * 0.2  # a word that was broken off is begun anew
