"""The model hangs up: what it says last is heard, then the session and its job end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from antiphon import Agent, CloseReason
from antiphon.beta import EndCallTool
from antiphon.pipeline import clock
from antiphon.simulate import Calls, ScriptedLLM, calling, calls, listens, says, simulate
from antiphon.worker import ConsoleJob

if TYPE_CHECKING:
    from antiphon import llm

BYE = "Goodbye, and thank you."


def agent(tool: EndCallTool) -> Agent:
    return Agent(instructions="Answer.", tools=[tool])


def closes(call: Any) -> list[CloseReason]:
    return [event.reason for event in call.reported("close")]


@pytest.mark.parametrize("farewell", ["say goodbye to the user", None])
async def test_a_model_ends_the_call_once_its_goodbye_was_heard(farewell: str | None) -> None:
    tool = EndCallTool(extra_description="Only after a goodbye.", end_instructions=farewell)
    async with calling(agent(tool), llm=[calls("end_call"), BYE]) as call:
        await call.play(says("That is all, bye"))
        await call.finish()
        assert call.over
    assert call.said("agent") == ([BYE] if farewell else [])
    assert closes(call) == [CloseReason.USER_INITIATED]


def test_without_last_words_the_call_ends_with_the_speech_that_ended_it() -> None:
    tool = EndCallTool(end_instructions=None)
    call = simulate(
        agent(tool), [says("Bye"), listens()], llm=[Calls("Bye bye.").and_calls("end_call")]
    )
    assert call.said("agent") == ["Bye bye."]
    assert len(closes(call)) == 1


def test_the_application_is_told_and_may_have_other_last_words() -> None:
    told: list[str] = []

    async def called(event: llm.Toolset.ToolCalledEvent) -> None:
        told.append(f"called {event.arguments}")

    async def completed(event: llm.Toolset.ToolCompletedEvent) -> None:
        told.append(f"completed {event.output}")
        event.output = "Wish a good night."

    seen: list[str] = []

    def answer(context: llm.ChatContext) -> Any:
        seen.append(str(getattr(context.items[-1], "output", "")))
        return BYE if seen[-1] else calls("end_call")

    tool = EndCallTool(on_tool_called=called, on_tool_completed=completed)
    simulate(agent(tool), [says("Bye"), listens()], llm=ScriptedLLM(answer))
    assert told == ["called {}", "completed say goodbye to the user"]
    assert seen[-1] == "Wish a good night."


def test_a_greeting_cannot_hang_up_where_that_is_not_wanted() -> None:
    offered: list[list[str]] = []

    class Greeting(Agent):
        async def on_enter(self) -> None:
            self.session.generate_reply()

        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> str:
            offered.append([tool.id for tool in tools])
            return "Hello there."

    greeting = Greeting(instructions="", tools=[EndCallTool(ignore_on_enter=True)])
    simulate(greeting, [listens(), says("Hello"), listens()])
    assert offered == [[], ["end_call"]]


def test_the_job_ends_with_the_call() -> None:
    ended: list[str] = []

    async def whole() -> None:
        job = ConsoleJob(ended.append)
        with job.current():
            async with calling(agent(EndCallTool()), llm=[calls("end_call"), BYE]) as call:
                await call.play(says("Bye"), listens())
        assert call.said("agent") == [BYE]

    clock.run(whole())
    assert ended == ["user_initiated"]
