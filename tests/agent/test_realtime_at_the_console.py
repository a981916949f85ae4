"""A program whose model hears and speaks itself, at a console."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from antiphon import Agent
from antiphon.engines import missing
from tests.scripted_realtime import ScriptedRealtime

if TYPE_CHECKING:
    from tests.programs import Programs

HELLO = Path(__file__).parents[2] / "samples" / "callers" / "hello.wav"

SCRIPTED = """
from antiphon.simulated_caller import CALLER, Caller
from tests.scripted_realtime import ScriptedRealtime
CALLER.set(Caller())
session = AgentSession(llm=ScriptedRealtime(["Hello there."], user_transcription=False))
await session.start(Agent(instructions=""), room=ctx.room)
session.generate_reply()
"""


def test_local_puts_ears_and_a_voice_beside_what_stands_for_a_model_that_has_them(
    programs: Programs,
) -> None:
    talk = """
    session = AgentSession(llm="openai/gpt-realtime")
    await session.start(Agent(instructions="You are Ada."), room=ctx.room)
    """
    ran = programs.console(programs.entry(talk), "--wav", HELLO, "--fast", "--local")
    assert ran.status == 0, ran.err
    for engine in ("webrtcvad", "pocketsphinx", "brain"):
        assert f"with   {engine}: " in ran.out
    assert [line["speaker"] for line in ran.transcript][:2] == ["user", "agent"]
    assert "note " not in ran.out


def test_a_model_that_hears_and_speaks_itself_misses_neither_ears_nor_voice(
    programs: Programs,
) -> None:
    ran = programs.console(programs.entry(SCRIPTED), "--wav", HELLO, "--fast")
    assert "nobody hears the caller" not in ran.out
    assert "is not heard" not in ran.out
    assert "webrtcvad" not in ran.out  # it says itself when a turn ends
    assert ran.transcript[0]["text"] == "Hello there."


@pytest.mark.parametrize("speaks", [True, False])
def test_a_model_that_writes_misses_a_voice(speaks: bool) -> None:
    agent = Agent(instructions="", llm=ScriptedRealtime([], audio_output=speaks))
    assert len(missing(agent, written=False)) == (not speaks)
