"""What a task raises is for whoever awaits it; its name in history is LiveKit's."""

from __future__ import annotations

import asyncio

import pytest

from antiphon import Agent, AgentTask
from antiphon.simulate import Call, ScriptedLLM, does, pauses, simulate


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
