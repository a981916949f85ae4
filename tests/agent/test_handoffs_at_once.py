"""Two handoffs at once, one of them to an agent that is long in coming: the later one holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from antiphon import Agent, AgentTask
from antiphon.llm import Toolset
from antiphon.simulate import Call, ScriptedLLM, does, pauses, says, simulate

if TYPE_CHECKING:
    from collections.abc import Callable


class Shelf(Toolset):
    """Tools that take three seconds to be ready."""

    def __init__(self) -> None:
        super().__init__(id="shelf")
        self.open = False

    async def setup(self) -> Shelf:
        await asyncio.sleep(3.0)
        self.open = True
        return self

    async def aclose(self) -> None:
        self.open = False


class Desk(Agent):
    """Asks something with a task, two seconds after the call has begun."""

    def __init__(self) -> None:
        super().__init__(instructions="")

    async def on_enter(self) -> None:
        await asyncio.sleep(2.0)
        await AgentTask(instructions="")


@pytest.mark.parametrize("second", [1.5, 2.5, 3.5, 4.5])
def test_of_two_handoffs_the_later_one_holds_however_long_the_first_takes(second: float) -> None:
    shelf = Shelf()
    slow, quick = Agent(instructions="", tools=[shelf]), Agent(instructions="")

    def to(agent: Agent) -> Callable[[Call], None]:
        return lambda call: call.session.update_agent(agent)

    def ended(call: Call) -> None:
        assert call.session.current_agent is quick
        assert not shelf.open

    model = ScriptedLLM(["Good day."])
    script = [does(to(slow), at=1.0), does(to(quick), at=second), says("hello there", at=6.0)]
    call = simulate(Desk(), [*script, pauses(6), does(ended)], llm=model)
    assert call.said("agent") == ["Good day."]
