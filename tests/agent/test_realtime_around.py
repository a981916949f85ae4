"""What stands around an agent works with one whose model hears and speaks itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from antiphon import Agent, UsageError, function_tool
from antiphon.beta.tools import EndCallTool
from antiphon.beta.workflows import GetEmailTask, GetNameTask, TaskGroup
from antiphon.simulate import OWN, calls, listens, says, simulate
from tests.scripted import Call, at, check, hold, sentence, user
from tests.scripted_producers import model_of, told
from tests.scripted_realtime import ScriptedRealtime

if TYPE_CHECKING:
    from tests.scripted import Making

WORDS = [sentence(100 * n) for n in range(8)]
ASKED = user(0.2, 0.8, "zaza zeze")
BOTH = pytest.mark.parametrize("detects", [True, False])


def spoken(replies: Any = WORDS, *, agent: type[Agent] = Agent, **can: Any) -> Making:
    def make(call: Call) -> Agent:
        return agent(instructions="Answer.", llm=ScriptedRealtime(replies, call.voice, **can))

    return make


def states(call: Call, who: str) -> list[str]:
    return [state.state for state in call.states if state.who == who]


@BOTH
def test_a_group_of_tasks_asks_and_hears_with_the_model_of_the_agent(detects: bool) -> None:
    came: list[Any] = []

    class Clerk(Agent):
        @function_tool
        async def book(self) -> str:
            """Book."""
            group = TaskGroup()
            group.add(
                lambda: GetNameTask(require_confirmation=False), id="name", description="The name"
            )
            group.add(
                lambda: GetEmailTask(require_confirmation=False), id="mail", description="The mail"
            )
            came.append(await group)
            return "booked"

    replies: list[Any] = [
        *(calls("book"), WORDS[0], calls("update_name", first_name="Ada")),
        *(WORDS[1], calls("update_email_address", email="a@b.org"), WORDS[2]),
    ]
    call = Call()
    hold(
        ASKED,
        user(5.0, 5.6, "zizi"),
        user(10.0, 10.6, "zozo"),
        agent=lambda _: Clerk(instructions="Answer."),
        call=call,
        llm=ScriptedRealtime(replies, call.voice, turn_detection=detects),
    )
    check(call)
    [result] = came
    assert result.task_results["name"].first_name == "Ada"
    assert result.task_results["mail"].email_address == "a@b.org"
    assert call.text("assistant") == " ".join(WORDS[:3]).split()
    assert told(call, "instructions")[-1] == ("instructions", "Answer.")


@pytest.mark.parametrize("automatic", [True, False])
@BOTH
def test_the_model_ends_the_call_and_its_goodbye_is_heard(detects: bool, automatic: bool) -> None:
    class Clerk(Agent):
        def __init__(self, **options: Any) -> None:
            super().__init__(tools=[EndCallTool()], **options)

    can = {"turn_detection": detects, "auto_tool_reply_generation": automatic}
    call = hold(ASKED, agent=spoken([calls("end_call"), WORDS[1]], agent=Clerk, **can))
    check(call)
    assert call.closed_by_agent
    assert call.text("assistant") == WORDS[1].split()


@BOTH
def test_a_thinking_sound_may_play_until_the_model_speaks(detects: bool) -> None:
    class Clerk(Agent):
        @function_tool
        async def look(self) -> str:
            """Look."""
            return "here"

    call = hold(ASKED, agent=spoken([calls("look"), WORDS[0]], agent=Clerk, turn_detection=detects))
    check(call)
    assert states(call, "agent") == ["listening", "thinking", "speaking", "listening"]


@BOTH
def test_a_user_who_says_nothing_is_away_and_back_with_a_word(detects: bool) -> None:
    call = hold(
        user(4.0, 4.6, "zaza"),
        agent=spoken(turn_detection=detects),
        user_away_timeout=2.0,
        until=12.0,
    )
    check(call)
    assert states(call, "user") == ["away", "speaking", "listening", "away"]


@BOTH
def test_a_simulated_caller_talks_with_a_realtime_model_of_the_tests_own(detects: bool) -> None:
    agent = Agent(instructions="", llm=ScriptedRealtime(["For how many?"], turn_detection=detects))
    call = simulate(agent, [says("A table, please"), listens()], stt=OWN, llm=OWN, tts=OWN)
    assert call.said("user") == ["A table, please"]
    assert call.said("agent") == ["For how many?"]
    assert model_of(agent).sessions[0].closed


def test_a_simulated_call_puts_scripted_models_in_the_place_of_a_realtime_one() -> None:
    model = ScriptedRealtime([])
    agent = Agent(instructions="", llm=model)
    call = simulate(agent, [says("A table, please"), listens()], llm=["For how many?"])
    assert call.said("agent") == ["For how many?"]
    assert model.sessions == []


def test_a_voice_that_says_texts_is_named_where_there_is_none() -> None:
    refused: list[str] = []

    def say(call: Call) -> None:
        with pytest.raises(UsageError) as error:
            call.session.say("Hello.")
        refused.append(str(error.value))

    hold(at(0.5, say), agent=spoken())
    assert "pass tts=" in refused[0]
