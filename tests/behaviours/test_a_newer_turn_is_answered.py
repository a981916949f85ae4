"""Turns that the agent could not answer yet are answered together, by the newest one's answer."""

import asyncio
from typing import Any

import pytest

from antiphon import Agent, ChatContext, StopResponse
from antiphon.simulate import Act, Call, ScriptedLLM, does, pauses, says, simulate

NOTICE = "This is a long notice that nobody may interrupt at all, so please do listen to it."
UNPROTECTED: Any = {"interruption": {"enabled": False}}


class Plain(Agent):
    """Says what it has to say at once."""

    def __init__(self) -> None:
        super().__init__(instructions="")


class Hooked(Plain):
    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: Any) -> None:
        """Its turns go through the queue."""


def notice(call: Call) -> None:
    call.session.say(NOTICE, allow_interruptions=False)


def several(call: Call) -> None:
    for _ in range(3):
        call.session.say("One of several things that I have to say to you now.")


@pytest.mark.parametrize("agent", [Plain, Hooked])
@pytest.mark.parametrize("speech", [notice, several])
def test_two_turns_said_before_the_agent_may_answer_get_one_answer(
    agent: type[Plain], speech: Any
) -> None:
    model = ScriptedLLM(["First.", "Second."])
    script: list[Act] = [
        does(speech),
        says("hello there", at=1.0),
        says("and good day", at=3.0),
        pauses(12),
    ]
    call = simulate(agent(), script, llm=model)
    answers = [line.text for line in call.lines if line.text in ("First.", "Second.")]
    assert len(answers) == 1
    turns = [m.text_content for m in model.asked[-1].messages() if m.role == "user"]
    assert turns == ["hello there", "and good day"]
    assert call.said("user") == turns


def test_an_answer_that_was_protected_for_a_while_gives_way_to_newer_words() -> None:
    def open_up(call: Call) -> None:
        assert call.session.current_speech is not None
        call.session.current_speech.allow_interruptions = True

    model = ScriptedLLM(["First.", "Second."], first_token=2.0)
    script: list[Act] = [
        *(says("a table", at=1.0), does(open_up, at=2.8)),
        *(says("for two", at=3.0), pauses(12)),
    ]
    call = simulate(Plain(), script, llm=model, turn_handling=UNPROTECTED)
    assert len(call.said("agent")) == 1


def test_a_turn_that_its_hook_passes_over_leaves_the_answer_to_the_one_before() -> None:
    class Choosy(Plain):
        async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: Any) -> None:
            await asyncio.sleep(3.0)
            if new_message.text_content == "never mind me":
                raise StopResponse

    model = ScriptedLLM(["A table it is."])
    script: list[Act] = [says("a table", at=1.0), says("never mind me", at=3.0), pauses(16)]
    call = simulate(Choosy(), script, llm=model)
    assert call.said("agent") == ["A table it is."]
    assert call.said("user") == ["a table", "never mind me"]
    assert model.asked[-1].items[-1].text_content == "a table"  # type: ignore[union-attr]
