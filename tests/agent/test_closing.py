"""What a program, and whoever listens to its output, sees of the end of a session."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import Agent, AgentSession
from antiphon.simulate import Caller, ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.simulated_caller import CALLER, Piece, cues
from tests.agent.side_by_side import EARS, Detector, Microphone, Sink


class Late(Sink):
    """Says how far it has played a moment after that."""

    def flush(self) -> None:
        super().flush()
        if self._over is not None:
            loop, told = asyncio.get_running_loop(), self._over
            told.cancel()
            self._over = loop.call_at(told.when() + 0.1, self._end, self._given, False)


def session_of(model: ScriptedLLM, **options: Any) -> AgentSession[None]:
    voice = ScriptedTTS(streaming=True)
    session = AgentSession[None](vad=Detector(), stt=ScriptedSTT(), llm=model, tts=voice, **options)
    session.input.audio, session.output.audio = Microphone(label="microphone"), Sink()
    return session


async def test_an_output_has_told_how_far_it_played_before_the_session_is_closed() -> None:
    session = session_of(ScriptedLLM([]))
    session.output.audio = sink = Late()
    played: list[tuple[float, bool]] = []
    sink.on("playback_finished", lambda e: played.append((e.playback_position, e.interrupted)))
    await session.start(Agent(instructions=""))
    session.say("One two three four.")
    await session.drain()
    await session.aclose()
    assert played == [(1.28, False)]


@pytest.mark.parametrize("prepared", [True, False])
async def test_nothing_is_answered_once_a_session_closes(prepared: bool) -> None:
    CALLER.set(caller := Caller())
    turns: Any = {"preemptive_generation": {"enabled": prepared}}
    session = session_of(ScriptedLLM(["Never said."]), turn_handling=turns)
    spoken: list[str] = []
    session.on("agent_state_changed", lambda event: spoken.append(event.new_state))
    await session.start(Agent(instructions=""))
    loop = asyncio.get_running_loop()
    start = loop.time()
    for cue in cues((Piece("my last words", 0.0, 1.0),), start + 0.5, EARS):
        loop.call_at(cue.at, cue.do, caller)
    await asyncio.sleep(1.9)  # the words are there, and the turn is not over yet
    spoken.clear()
    await session.aclose()
    assert "speaking" not in spoken
    assert [m.text_content for m in session.history.messages()] == ["my last words"]
