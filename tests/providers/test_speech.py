"""Recognisers and voices in a call, over real sockets, on their plugins' own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from antiphon import Agent, AgentSession
from antiphon.conformance import Check, Provider, tried
from antiphon.conformance.hearing import HEARING, RECOGNISERS
from antiphon.conformance.speaking import SPEAKING, VOICES
from antiphon.conformance.talking import NO_DRAFT
from antiphon.simulate import OWN, Call, calling, interrupts, listens, says


async def does(provider: Provider, check: Check) -> None:
    result = await tried(provider, check)
    if why := provider.faults.get(check.name):
        assert result.outcome == "no", "it does now: take it from its faults, and write the table"
        assert why in result.note
    else:
        outcome = "untried" if check.name in provider.untried else "yes"
        assert result.outcome == outcome, result.note


@pytest.mark.parametrize("check", HEARING, ids=lambda check: check.name)
@pytest.mark.parametrize("provider", RECOGNISERS, ids=str)
async def test_a_recogniser_does_in_a_call_what_it_must(provider: Provider, check: Check) -> None:
    await does(provider, check)


@pytest.mark.parametrize("check", SPEAKING, ids=lambda check: check.name)
@pytest.mark.parametrize("provider", VOICES, ids=str)
async def test_a_voice_does_in_a_call_what_it_must(provider: Provider, check: Check) -> None:
    await does(provider, check)


README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize("provider", [*RECOGNISERS, *VOICES], ids=str)
def test_the_readme_says_what_came_of_each_recogniser_and_voice(provider: Provider) -> None:
    rows = README.read_text("utf-8").splitlines()
    (row,) = (line for line in rows if line.startswith(f"| {provider.name} |"))
    assert f"| `{provider.made.constructor}` |" in row
    assert f"| {8 - len(provider.faults)} of 8" in row
    known = {**provider.untried, **provider.faults}
    assert all(f"({why})" in row for why in known.values())


STORY = "Here is one. On a rock far out at sea there stood a tower, and in it a man kept a lamp."


async def built_in(stt: str, tts: str, *acts: Any) -> Call:
    """A call with the built-in engines, in which a voice of theirs calls."""
    session: AgentSession[Any] = AgentSession(
        stt=stt, vad="local/webrtcvad", tts=tts, turn_handling=NO_DRAFT
    )
    common: dict[str, Any] = {"stt": OWN, "vad": OWN, "tts": OWN}
    agent = Agent(instructions="Be brief.")
    async with calling(agent, session=session, llm=[STORY, "Fine."], **common) as call:
        await call.play(*acts)
    return call


@pytest.mark.parametrize("voice", ["local/espeak", "local/flite"])
async def test_the_built_in_engines_do_in_a_call_what_the_others_do(voice: str) -> None:
    """One turn, a barge-in whose words are understood, and the answer to it."""
    acts = says("hello there"), interrupts("stop", into=2.0), listens()
    call = await built_in("local/pocketsphinx", voice, *acts)
    assert call.said("user")[-1] == "stop"
    story, answer = call.said("agent")
    assert STORY.startswith(story.rstrip(".,"))
    assert 2 < len(story.split()) < len(STORY.split())
    assert answer == "Fine."
    kinds = {type(usage).__name__ for usage in call.session.usage.model_usage}
    assert {"STTModelUsage", "TTSModelUsage"} <= kinds
