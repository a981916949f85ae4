"""What a task raises is for whoever awaits it; its name in history is LiveKit's."""

from __future__ import annotations

import asyncio

import pytest

from antiphon import Agent, AgentTask, function_tool
from antiphon.simulate import Call, ScriptedLLM, calls, does, pauses, says, simulate


class GetDOBTask(AgentTask[None]):
    """A task that cannot begin."""

    def __init__(self) -> None:
        super().__init__(instructions="")

    async def on_enter(self) -> None:
        raise LookupError("known already")


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="")

    async def on_enter(self) -> None:
        await asyncio.sleep(1.0)
        with pytest.raises(LookupError):
            await GetDOBTask()
        self.session.say("I know you.")


def test_what_a_task_raises_as_it_begins_is_no_error_of_the_session() -> None:
    errors: list[object] = []

    def listens(call: Call) -> None:
        call.session.on("error", errors.append)

    call = simulate(Desk(), [does(listens, at=0.0), pauses(4)], llm=ScriptedLLM([]))
    assert call.said("agent") == ["I know you."]
    assert errors == []


def test_an_agent_is_named_after_its_class_as_in_livekit() -> None:
    assert GetDOBTask().id == "get_dob_task"
    assert Desk().id == "desk"
    assert Agent(instructions="").id == "default_agent"


class Booking(Agent):
    """Waits in its tool for a task that never ends."""

    def __init__(self) -> None:
        super().__init__(instructions="")

    @function_tool
    async def book(self) -> None:
        """Book."""
        await AgentTask(instructions="")


def test_an_agent_that_was_replaced_while_it_waited_for_a_task_is_not_asked_any_more() -> None:
    errors: list[object] = []

    def replace(call: Call) -> None:
        call.session.on("error", errors.append)
        call.session.update_agent(Agent(instructions=""))

    model = ScriptedLLM([calls("book"), "Good day."])
    script = [says("a table", at=1.0), does(replace, at=5.0), says("hello there", at=7.0)]
    call = simulate(Booking(), [*script, pauses(6)], llm=model)
    assert errors == []
    assert call.said("agent") == ["Good day."]
    assert len(model.asked) == 2
