"""Simulated calls with models of every kind, and with tools and other agents."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit.agents import llm

from antiphon import Agent, AgentSession, AgentTask, StopResponse, function_tool, simulate
from antiphon.simulate import (
    OWN,
    Calls,
    ScriptedLLM,
    ScriptedSTT,
    ToolCall,
    calls,
    coughs,
    does,
    interrupts,
    says,
)
from tests.hosts import SORRY, WINDOW, Host, held

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon.simulate import Call


class Parrot(Agent):
    async def llm_node(self, chat_ctx: llm.ChatContext, *_: Any) -> AsyncGenerator[str, None]:
        yield f"You said {chat_ctx.messages()[-1].text_content}."


def test_a_node_of_the_agents_own_runs_as_it_is() -> None:
    call = simulate.simulate(Parrot(instructions=""), [says("hello")])
    assert call.said("agent") == ["You said hello."]


def test_replies_may_be_made_of_the_context() -> None:
    def reply(chat_ctx: llm.ChatContext) -> str:
        return f"That makes {len(chat_ctx.messages()) - 1}."

    call = held(says("One"), says("Two"), llm=reply)
    assert call.said("agent") == ["That makes 1.", "That makes 3."]


def test_a_session_of_ones_own_keeps_its_scripted_models() -> None:
    mine = ScriptedLLM(["For when?"])
    session = AgentSession[dict[str, int]](llm=mine, userdata={"guests": 2})
    call = simulate.simulate(Host(), [says("A table")], session=session)
    assert call.said("agent") == ["For when?"]
    assert call.session is session
    assert len(mine.asked) == 1


def test_models_that_an_agent_names_are_replaced_unless_they_are_asked_for() -> None:
    agent = Host(llm="local/brain")
    call = simulate.simulate(agent, [says("A table")], llm=["For when?"])
    assert call.said("agent") == ["For when?"]
    own = simulate.simulate(Host(llm="local/brain"), [says("Hello")], llm=OWN)
    assert own.said("agent")[0].startswith("Hello")


def test_the_built_in_detector_hears_the_voice_of_the_caller() -> None:
    call = held(says("A table for two"), coughs(0.6), vad=OWN, llm=["For when?"])
    user = call.lines[0]
    assert (user.start, user.end) == (0.5, 2.1)
    assert call.said("agent") == ["For when?", SORRY]


def test_built_in_engines_hear_and_say_real_words() -> None:
    call = held(
        says("hello"),
        interrupts("stop", word="window"),
        stt="local/pocketsphinx",
        tts="local/auto",
        vad=OWN,
        llm=[WINDOW, "Very well."],
    )
    assert call.said("user") == ["hello", "stop"]
    assert call.lines[1].text.startswith("By the window")
    assert call.lines[1].interrupted
    assert call.said("agent")[-1] == "Very well."


def test_a_recogniser_of_whole_utterances_is_given_them() -> None:
    call = held(says("A table"), stt=ScriptedSTT(streaming=False), llm=["For when?"])
    assert [line.text for line in call.lines] == ["A table", "For when?"]


async def test_a_scripted_model_calls_tools() -> None:
    answer = Calls("Let me see.").and_calls("book", day="Friday", guests=2)
    model = ScriptedLLM([answer, calls("book", day="Monday")])
    async with model.chat(chat_ctx=llm.ChatContext.empty()) as stream:
        deltas = [chunk.delta async for chunk in stream if chunk.delta]
    called = [call for delta in deltas for call in delta.tool_calls]
    assert "".join(delta.content or "" for delta in deltas) == "Let me see. "
    assert [(c.name, c.arguments) for c in called] == [("book", '{"day": "Friday", "guests": 2}')]


def test_tool_calls_of_the_history_are_told_with_their_outputs() -> None:
    def remember(call: Call) -> None:
        done = llm.FunctionCall(call_id="1", name="book", arguments='{"day": "Friday"}')
        output = llm.FunctionCallOutput(call_id="1", name="book", output="done", is_error=False)
        call.session.history.items.extend([done, output])

    call = held(does(remember))
    assert call.tools == [ToolCall("book", {"day": "Friday"}, "done")]


class Booking(Host):
    @function_tool
    async def book(self, day: str) -> str:
        """Book a table."""
        await asyncio.sleep(1.0)
        return f"booked for {day}"

    @function_tool
    async def hand_over(self) -> Agent:
        """Hand over to the kitchen."""
        return Kitchen(instructions="You cook.", llm="local/brain")

    @function_tool
    async def ask_name(self) -> str:
        """Ask for the name."""
        return f"the name is {await Asking()}"


class Asking(AgentTask[str]):
    """Ends with the first answer."""

    def __init__(self) -> None:
        super().__init__(instructions="Ask for the name.")

    async def on_enter(self) -> None:
        await self.session.say("What is your name?")

    async def on_user_turn_completed(self, _: Any, new_message: llm.ChatMessage) -> None:
        self.complete(new_message.text_content or "")
        raise StopResponse


class Kitchen(Agent):
    async def on_enter(self) -> None:
        await self.session.say("Kitchen here.")


def test_a_tool_that_the_scripted_model_calls_is_run_and_answered() -> None:
    first = Calls("One moment.").and_calls("book", day="Friday")
    script = [says("A table on Friday")]
    call = simulate.simulate(Booking(), script, llm=[first, "Done, for Friday."])
    assert call.tools == [ToolCall("book", {"day": "Friday"}, "booked for Friday")]
    announced, done = call.lines[1:]
    assert (announced.text, done.text) == ("One moment.", "Done, for Friday.")
    assert done.start > announced.start + 1.0


def test_an_announcement_may_be_interrupted_and_the_call_is_answered_all_the_same() -> None:
    first = Calls("One moment, please, I will look.").and_calls("book", day="Friday")
    script = [says("A table on Friday"), interrupts("On Monday", word="please")]
    call = simulate.simulate(Booking(), script, llm=[first, "On Monday then."])
    assert [line.text for line in call.lines if line.interrupted] == ["One moment, please, I"]
    assert call.said("agent")[-1] == "On Monday then."


def test_an_agent_that_takes_over_speaks_with_the_scripted_models_too() -> None:
    script = [says("The kitchen"), says("Hello")]
    call = simulate.simulate(Booking(), script, llm=[calls("hand_over"), "Very well."])
    assert call.said("agent") == ["Kitchen here.", "Very well."]
    assert call.heard == "Kitchen here. Very well.".split()


def test_a_caller_answers_a_task_that_a_tool_waits_for() -> None:
    script = [says("A table"), says("Ada")]
    call = simulate.simulate(Booking(), script, llm=[calls("ask_name"), "Welcome, Ada."])
    assert call.tools == [ToolCall("ask_name", {}, "the name is Ada")]
    texts = [line.text for line in call.lines]
    assert texts == ["A table", "What is your name?", "Ada", "Welcome, Ada."]
    assert call.lines[2].start == round(call.lines[1].end + 0.5, 6)
