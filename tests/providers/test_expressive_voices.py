"""Voices of LiveKit Inference are told how to speak in the markers that each of them knows."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.agents import utils

from antiphon import Agent, AgentSession
from antiphon.conformance import gateway
from antiphon.conformance.gateway_speech import Mouths
from antiphon.conformance.studio import Studio, open_for_visits
from antiphon.conformance.talking import NO_DRAFT
from antiphon.simulate import (
    OWN,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedVAD,
    calling,
    listens,
    says,
)

REPLY = (
    '<expr type="expression" label="excited"/> Of course. <expr type="break" label="500ms"/> '
    "A table at eight for all of you."
)
READ = "Of course. A table at eight for all of you."
OWN_WORDS = {
    "cartesia/sonic-3": '<emotion value="excited"/> Of course. <break time="500ms"/> A table',
    "inworld/inworld-tts-2": '[excited] Of course. <break time="500ms"/> A table',
    "xai/tts-1": "Of course. [pause] A table",
}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", gateway.KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", gateway.SECRET)


@pytest.mark.parametrize("name", OWN_WORDS)
async def test_a_voice_by_name_gets_its_own_markers_and_history_has_the_models(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ScriptedLLM([REPLY])
    studio = Studio(Mouths())
    async with utils.http_context.open(), open_for_visits(studio):
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", f"{studio.url}/v1")
        common: dict[str, Any] = {"stt": ScriptedSTT(), "vad": ScriptedVAD(), "tts": name}
        session: AgentSession[Any] = AgentSession(**common, turn_handling=NO_DRAFT, expressive=True)
        agent = Agent(instructions="Be brief.")
        async with calling(agent, session=session, llm=model, tts=OWN) as call:
            await call.play(says("a table please"), listens())
        assert session.tts is not None
        await session.tts.aclose()
    assert studio.refused == []
    said = " ".join(visit.text for visit in studio.visits if visit.text)
    assert said.startswith(OWN_WORDS[name])
    assert "expr" not in said
    assert call.said("agent")[0] == READ
    assert [m.raw_text_content for m in call.messages if m.role == "assistant"][0] == REPLY
    told = model.asked[0].items[1]
    assert told.id == "lk.expressive.instructions"
