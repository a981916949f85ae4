"""Recognisers and voices of LiveKit Inference, by name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, stt, utils
from livekit.agents.metrics import STTModelUsage, TTSModelUsage

from antiphon import Agent, AgentSession, inference, tts
from antiphon.conformance import gateway
from antiphon.conformance.gateway import Gateway
from antiphon.conformance.gateway_speech import Ears, Mouths
from antiphon.conformance.hearing import Mouth
from antiphon.conformance.studio import Cut, Studio, open_for_visits
from antiphon.conformance.talking import NO_DRAFT
from antiphon.conformance.wire import Server
from antiphon.nodes import models
from antiphon.nodes.stt import recognise
from antiphon.nodes.tts import synthesise
from antiphon.simulate import OWN, calling, listens, says

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from aiohttp import web

    from antiphon.conformance.voices import Due


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIVEKIT_INFERENCE_API_KEY", "LIVEKIT_INFERENCE_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LIVEKIT_API_KEY", gateway.KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", gateway.SECRET)


async def utterance() -> AsyncGenerator[rtc.AudioFrame, None]:
    """A second of a loud sound, and half a second of silence."""
    for loudness in [5000] * 50 + [0] * 25:
        yield rtc.AudioFrame(np.full(320, loudness, np.int16).tobytes(), 16_000, 1, 320)
        await asyncio.sleep(0.02)


async def heard_by(engine: stt.STT[Any]) -> list[tuple[stt.SpeechEventType, str]]:
    found = [event async for event in recognise(engine, None, utterance())]
    await engine.aclose()
    return [(event.type, event.alternatives[0].text) for event in found if event.alternatives]


@pytest.mark.parametrize(
    ("name", "language"),
    [("deepgram/nova-3:en", "en"), ("assemblyai/universal-streaming", None), ("auto", None)],
)
async def test_a_recogniser_by_name_hears_and_is_told_its_language(
    name: str, language: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ears = Ears()
    studio = Studio(ears, ["a table for four"])
    async with utils.http_context.open(), open_for_visits(studio):
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", f"{studio.url}/v1")
        texts = await heard_by(models.load_stt(name))
    assert studio.refused == []
    (opened,) = ears.opened
    assert opened.created["settings"].get("language") == language
    assert opened.created.get("model") == (None if name == "auto" else name.partition(":")[0])
    assert studio.visits[0].heard == pytest.approx(1.5)
    assert (stt.SpeechEventType.INTERIM_TRANSCRIPT, "a table") in texts
    assert (stt.SpeechEventType.FINAL_TRANSCRIPT, "a table for four") in texts


# What a program says of its recogniser or voice, and what the gateway is told.
CONNECT = APIConnectOptions(timeout=7, max_retry=2)
CONNECTION = {"timeout": 7, "retries": 2}


async def test_all_that_is_said_of_a_recogniser_reaches_the_gateway() -> None:
    ears = Ears()
    studio = Studio(ears, ["a table for four"])
    async with utils.http_context.open(), open_for_visits(studio):
        engine = inference.STT(
            "deepgram/nova-3",
            language="en",
            extra_kwargs={"keyterm": ["Antiphon"], "punctuate": True},
            fallback=[{"model": "assemblyai/universal-streaming", "extra_kwargs": {"x": 1}}],
            conn_options=CONNECT,
            base_url=f"{studio.url}/v1",
        )
        assert await heard_by(engine)
    assert studio.refused == []
    (opened,) = ears.opened
    assert opened.model == "deepgram/nova-3"
    assert opened.created == {
        "type": "session.create",
        "model": "deepgram/nova-3",
        "settings": {
            "sample_rate": "16000",
            "encoding": "pcm_s16le",
            "language": "en",
            "extra": {"keyterm": ["Antiphon"], "punctuate": True},
        },
        "fallback": {"models": [{"model": "assemblyai/universal-streaming", "extra": {"x": 1}}]},
        "connection": CONNECTION,
    }


async def said(*texts: str) -> AsyncGenerator[str, None]:
    for text in texts:
        yield text


async def test_all_that_is_said_of_a_voice_reaches_the_gateway() -> None:
    mouths = Mouths()
    studio = Studio(mouths)
    async with utils.http_context.open(), open_for_visits(studio):
        engine = inference.TTS(
            "cartesia/sonic-3",
            voice="voice-of-hers",
            language="en",
            extra_kwargs={"speed": 1.2},
            fallback=[{"model": "rime/arcana", "voice": "luna"}],
            conn_options=CONNECT,
            base_url=f"{studio.url}/v1",
        )
        frames = [frame async for frame in synthesise(engine, said("Of course."))]
        await engine.aclose()
    assert studio.refused == []
    assert sum(frame.duration for frame in frames) == pytest.approx(0.4, abs=0.02)
    (opened,) = mouths.opened
    assert opened.model == "cartesia/sonic-3"
    assert opened.created == {
        "type": "session.create",
        "model": "cartesia/sonic-3",
        "voice": "voice-of-hers",
        "language": "en",
        "sample_rate": str(engine.sample_rate),
        "encoding": "pcm_s16le",
        "extra": {"speed": 1.2},
        "fallback": {"models": [{"model": "rime/arcana", "voice": "luna", "extra": {}}]},
        "connection": CONNECTION,
    }


class Whole(Studio):
    """All of LiveKit Inference at one address."""

    def __init__(self, hears: Iterable[str], *says: str) -> None:
        self.mouths, self.ears = Mouths(), Ears()
        super().__init__(self.mouths)
        self.hearing = Studio(self.ears, hears)
        self.chat = Server(Gateway(), *says)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/stt":
            return await self.hearing.handle(request)
        if request.path == "/v1/tts":
            return await super().handle(request)
        return await self.chat.handle(request)


async def test_a_call_with_recogniser_model_and_voice_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = "Of course. There is a table at eight."
    whole = Whole(["a table please"], answer)
    async with utils.http_context.open(), open_for_visits(whole):
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", f"{whole.url}/v1")
        session: AgentSession[Any] = AgentSession(
            stt="deepgram/nova-3:en",
            vad="local/webrtcvad",
            llm="openai/gpt-4.1-mini",
            tts="cartesia/sonic-3:voice-of-hers",
            turn_handling=NO_DRAFT,
        )
        own: dict[str, Any] = dict.fromkeys(("stt", "vad", "llm", "tts"), OWN)
        agent = Agent(instructions="Be brief.")
        async with calling(agent, session=session, voice=Mouth(), **own) as call:
            await call.play(says("a table please"), listens())
        for model in (session.stt, session.llm, session.tts):
            assert model is not None
            await model.aclose()
    assert whole.refused == whole.hearing.refused == whole.chat.refused == []
    assert call.said("user") == ["a table please"]
    assert call.said("agent") == [answer]
    assert whole.ears.opened[0].model == "deepgram/nova-3"
    assert whole.chat.asked[0].model == "openai/gpt-4.1-mini"
    assert whole.mouths.opened[0].created["voice"] == "voice-of-hers"
    assert whole.visits[0].text == answer
    played = sum(len(pcm) for _, pcm in call.played) / session.tts.sample_rate  # type: ignore[union-attr]
    assert played == pytest.approx(0.2 * 8, abs=0.05)
    used = {(each.type, each.provider, each.model) for each in session.usage.model_usage}
    assert ("llm_usage", "livekit", "openai/gpt-4.1-mini") in used
    kinds = [type(each) for each in session.usage.model_usage]
    assert STTModelUsage in kinds
    assert TTSModelUsage in kinds
    assert "cartesia/sonic-3" in session.cost.unknown


class Dying(Mouths):
    """Its connections break after so many words."""

    def __init__(self, lives: int) -> None:
        super().__init__()
        self.lives = lives

    def told(self, due: Due) -> list[dict[str, Any]]:
        if due.word is not None and due.number >= self.lives:
            raise Cut
        return super().told(due)


@pytest.mark.parametrize("lives", [0, 1, 4])
async def test_a_voice_that_dies_in_a_sentence_is_followed_by_one_that_says_the_rest(
    lives: int,
) -> None:
    sentence = "Of course, there is a table at eight."
    dying, other = Studio(Dying(lives)), Studio(Mouths())
    async with utils.http_context.open(), open_for_visits(dying), open_for_visits(other):
        engines: list[tts.TTS[Any]] = [  # the keys are in the environment
            inference.TTS("cartesia/sonic-3", base_url=f"{studio.url}/v1")
            for studio in (dying, other)
        ]
        adapter = tts.FallbackAdapter(engines, max_retry_per_tts=0)
        agent = Agent(instructions="Be brief.", tts=adapter)
        async with calling(agent, llm=[sentence], tts=OWN, turn_handling=NO_DRAFT) as call:
            await call.play(says("a table please"), listens())
        await adapter.aclose()
        for engine in engines:
            await engine.aclose()
    assert call.said("agent") == [sentence]
    rest = " ".join(visit.text for visit in other.visits)
    assert rest
    assert rest in sentence
    assert sentence.startswith(rest) is (lives < 2)  # its client lets less than a word go with it
    assert call.reported("error") == []
    played = sum(len(pcm) for _, pcm in call.played) / adapter.sample_rate
    assert 1.55 < played < 1.6 + 2 * 0.2  # a word that was broken off is begun anew
