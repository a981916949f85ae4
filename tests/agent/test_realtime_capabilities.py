"""What a realtime model can or cannot: each capability, there and not there, has a behaviour."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents.llm import RealtimeCapabilities

from antiphon import Agent, AgentTask, function_tool
from antiphon.simulate import Calls, ScriptedTTS, calls
from tests.scripted import Call, at, check, hold, sentence, user
from tests.scripted_producers import model_of, told
from tests.scripted_realtime import ScriptedRealtime

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = [sentence(100 * n) for n in range(8)]
ASKED = user(0.2, 0.8, "zaza zeze")


class Clerk(Agent):
    @function_tool
    async def look(self) -> str:
        """Look it up."""
        return "It is here."

    @function_tool
    async def ask(self) -> str:
        """Ask somebody else."""
        await Question(instructions="Ask.")
        return "Asked."


class Question(AgentTask[None]):
    async def on_enter(self) -> None:
        self.complete(None)


def held(*acts: Any, replies: Any = WORDS, options: Any = None, **can: Any) -> Call:
    """A conversation with a clerk whose model can that."""

    def make(call: Call) -> Agent:
        model = ScriptedRealtime(replies, call.voice, **can)
        spoken = {} if model.capabilities.audio_output else {"tts": ScriptedTTS(voice=call.voice)}
        return Clerk(instructions="Answer.", llm=model, **spoken)  # type: ignore[arg-type]

    call = hold(ASKED, *acts, agent=make, **(options or {}))
    check(call)
    return call


def truncated(can: bool) -> None:
    call = held(user(1.6, 2.2, "zizi"), message_truncation=can)
    assert len(told(call, "truncate")) == can
    assert call.messages[1].interrupted


def turns(can: bool) -> None:
    call = held(turn_detection=can)
    assert len(told(call, "commit")) == len(told(call, "reply")) == (not can)


def turns_given_up(can: bool) -> None:
    options = {"turn_handling": {"turn_detection": "vad"}}
    call = held(options=options, can_disable_turn_detection=can)
    assert model_of(call.agent).sessions[0].detects is not can
    assert len(told(call, "commit")) == can


def transcribed(can: bool) -> None:
    """A model that tells no words, and nobody else who hears them: none in the history."""
    if can:
        assert held(user_transcription=True).text("user") == ["zaza", "zeze"]
    else:
        model: list[ScriptedRealtime] = []

        def make(call: Call) -> Agent:
            model.append(ScriptedRealtime(WORDS, call.voice, user_transcription=False))
            return Agent(instructions="", llm=model[0])

        call = hold(ASKED, agent=make)
        assert call.text("user") == []
        assert call.text("assistant") == call.heard == WORDS[0].split()


def answers_its_tools(can: bool) -> None:
    call = held(replies=[calls("look"), WORDS[0]], auto_tool_reply_generation=can)
    assert call.text("assistant") == WORDS[0].split()
    assert len(told(call, "reply")) == (not can)
    assert [
        item.type for item in call.session.history.items if item.type.startswith("function")
    ] == ["function_call", "function_call_output"]


def speaks(can: bool) -> None:
    call = held(audio_output=can)
    assert bool(call.voice.texts) is not can  # of which a voice was asked
    assert call.text("assistant") == WORDS[0].split()


def resumes_calls(can: bool) -> None:
    call = held(replies=[calls("ask"), WORDS[0]], manual_function_calls=can)
    assert call.text("assistant") == WORDS[0].split()


def overlaps(can: bool) -> None:
    call = hold(
        ASKED,
        user(1.6, 2.2, "zizi"),
        agent=lambda call: Agent(
            instructions="",
            llm=ScriptedRealtime([WORDS[0], WORDS[1]], call.voice, supports_overlapping_speech=can),
        ),
    )
    assert call.messages[1].interrupted is not can


def hand_over(call: Call) -> None:
    call.session.update_agent(Clerk(instructions="Other.", llm=model_of(call.agent)))


def takes_a_context(can: bool) -> None:
    """Where it takes none, another agent begins with a session of its own."""
    call = held(at(4.0, hand_over), user(5.0, 5.6, "zizi"), mutable_chat_context=can)
    assert len(model_of(call.agent).sessions) == 2 - can
    assert model_of(call.agent).sessions[-1].instructions == "Other."


def takes_instructions(can: bool) -> None:
    async def change(call: Call) -> None:
        await call.agent.update_instructions("Sing.")

    call = held(later(4.0, change), user(5.0, 5.6, "zizi"), mutable_instructions=can)
    assert len(model_of(call.agent).sessions) == 2 - can
    assert model_of(call.agent).sessions[-1].instructions == "Sing."


def takes_tools(can: bool) -> None:
    async def change(call: Call) -> None:
        await call.agent.update_tools([])

    call = held(later(4.0, change), user(5.0, 5.6, "zizi"), mutable_tools=can)
    assert len(model_of(call.agent).sessions) == 2 - can
    assert model_of(call.agent).sessions[-1].tools.flatten() == []


def chooses_by_reply(can: bool) -> None:
    def ask(call: Call) -> None:
        call.session.generate_reply(tool_choice="none", tools=["look"], instructions="Say it.")

    call = held(at(4.0, ask), per_response_tool_choice=can)
    asked = told(call, "reply")[-1][1:]
    assert asked[0] == "Say it."
    if can:
        assert asked[1:] == ("none", ["look"])
    else:
        assert [choice for _, choice in told(call, "options")] == ["none", None]
        assert [names for _, names in told(call, "tools")] == [
            ["ask", "look"],
            ["look"],
            ["ask", "look"],
        ]


def says(can: bool) -> None:
    refused: list[str] = []

    def say(call: Call) -> None:
        try:
            call.session.say(WORDS[5])
        except RuntimeError as error:
            refused.append(str(error))

    call = held(at(4.0, say), supports_say=can)
    assert len(refused) == (not can)
    assert not refused or "pass tts=" in refused[0]
    assert call.text("assistant") == [*WORDS[0].split(), *(WORDS[5].split() if can else [])]


def later(moment: float, do: Callable[[Call], Any]) -> list[Any]:
    """Something that takes a while, at that second of the call."""
    return at(moment, lambda call: RUNNING.append(asyncio.ensure_future(do(call))))


RUNNING: list[asyncio.Future[None]] = []

TABLE: dict[str, Callable[[bool], None]] = {
    "message_truncation": truncated,
    "turn_detection": turns,
    "user_transcription": transcribed,
    "auto_tool_reply_generation": answers_its_tools,
    "audio_output": speaks,
    "manual_function_calls": resumes_calls,
    "can_disable_turn_detection": turns_given_up,
    "supports_overlapping_speech": overlaps,
    "mutable_chat_context": takes_a_context,
    "mutable_instructions": takes_instructions,
    "mutable_tools": takes_tools,
    "per_response_tool_choice": chooses_by_reply,
    "supports_say": says,
}


@pytest.mark.parametrize("can", [True, False])
@pytest.mark.parametrize("capability", [each.name for each in fields(RealtimeCapabilities)])
def test_every_capability_there_or_not_has_a_behaviour(capability: str, can: bool) -> None:
    TABLE[capability](can)


def test_several_messages_of_one_response_are_several_in_the_history() -> None:
    def make(call: Call) -> Agent:
        return Agent(instructions="", llm=ScriptedRealtime([WORDS[:2], WORDS[2]], call.voice))

    whole = hold(ASKED, agent=make)
    check(whole)
    assert [m.text_content for m in whole.messages[1:]] == WORDS[:2]
    cut = hold(ASKED, user(2.1, 2.7, "zizi"), agent=make)
    check(cut)
    assert [m.interrupted for m in cut.messages[1:3]] == [False, True]
    [(_, name, milliseconds, text)] = told(cut, "truncate")
    assert (name, text.strip()) == (cut.messages[2].id, cut.messages[2].text_content)
    assert 0 < milliseconds < 2000


def test_a_tool_is_called_beside_the_words_of_its_response() -> None:
    replies = [Calls(WORDS[0]).and_calls("look").and_calls("look"), WORDS[1]]
    call = held(replies=replies)
    assert call.text("assistant") == f"{WORDS[0]} {WORDS[1]}".split()
