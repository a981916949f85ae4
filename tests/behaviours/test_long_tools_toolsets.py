"""Toolsets: set up when their agent takes its seat, closed when nobody has them any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from antiphon import AgentTask, RunContext, function_tool
from antiphon import llm as llms
from tests.scripted import Call, at, check, hold, sentence, user
from tests.scripted_tools import Caller, calls, story

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from antiphon import Agent
    from tests.scripted_tools import Part

ONE, TWO = sentence(0), sentence(10)


@function_tool
async def looks() -> str:
    """Looks."""
    return "seen"


class Kit(llms.Toolset):
    """Notes when it is set up and closed; `fails`, `setup_takes` and `close_takes` to order."""

    def __init__(
        self,
        id: str,
        tools: Sequence[Any] = (),
        *,
        fails: bool = False,
        setup_takes: float = 0.0,
        close_takes: float = 0.0,
    ) -> None:
        super().__init__(id=id, tools=list(tools))
        self.notes: list[tuple[str, float]] = []
        self.fails, self.setup_takes, self.close_takes = fails, setup_takes, close_takes

    async def setup(self) -> Self:
        await asyncio.sleep(self.setup_takes)
        self.notes.append(("set up", asyncio.get_running_loop().time()))
        if self.fails:
            raise OSError("no server there")
        return self

    async def aclose(self) -> None:
        self.notes.append(("closed", asyncio.get_running_loop().time()))
        await asyncio.sleep(self.close_takes)


def agent(*steps: Sequence[Part], tools: Sequence[Any]) -> Callable[[Call], Agent]:
    return lambda call: Caller(call, steps, tools)


def offered(call: Call, request: int = 0) -> list[str]:
    found: list[str] = call.agent.requests[request].tools  # type: ignore[attr-defined]
    return found


def test_a_toolset_is_set_up_before_the_first_turn_and_closed_at_the_end() -> None:
    kit = Kit("kit", [looks])
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("looks")], [ONE], tools=[kit]))
    check(call)
    assert kit.notes == [("set up", 0.0), ("closed", call.ended)]
    assert offered(call) == ["looks"]
    assert "output: seen" in story(call)


def test_toolsets_within_toolsets_are_set_up_and_closed_too() -> None:
    inner = Kit("inner", [looks])
    outer = llms.Toolset(id="outer", tools=[inner])
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([ONE], tools=[outer]))
    check(call)
    assert [name for name, _ in inner.notes] == ["set up", "closed"]
    assert offered(call) == ["looks"]


def test_a_toolset_that_cannot_be_set_up_is_one_error_and_its_tools_are_left_out() -> None:
    @function_tool
    async def other() -> None:
        """Stays."""

    broken = Kit("broken", [looks], fails=True)
    outer = llms.Toolset(id="outer", tools=[broken, other])
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([ONE], tools=[outer]))
    check(call, errors=1)
    assert offered(call) == ["other"]
    [event] = call.reported("error")
    assert str(event.error.error) == (
        "the toolset broken could not be set up, and is left out: no server there"
    )


def test_a_toolset_that_hangs_holds_up_the_session_for_ten_seconds_at_most() -> None:
    hangs = Kit("hangs", [looks], setup_takes=60.0)
    call = hold(user(11.0, 11.6, "zaza"), agent=agent([ONE], tools=[hangs]))
    check(call, errors=1)
    assert offered(call) == []
    assert call.heard == ONE.split()


def test_a_toolset_that_will_not_close_does_not_keep_the_session() -> None:
    kit = Kit("kit", close_takes=60.0)
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([ONE], tools=[kit]), until=4.0)
    assert call.ended == 9.0
    assert call.heard == ONE.split()


def test_what_two_agents_share_stays_open_and_what_only_one_has_is_closed() -> None:
    shared, own, session = Kit("shared"), Kit("own"), Kit("session")

    call = hold(
        at(1.0, lambda call: call.session.update_agent(Caller(call, [], [shared]))),
        user(2.0, 2.6, "zaza"),
        agent=agent(tools=[shared, own]),
        tools=[session],
        until=2.1,
    )
    assert [name for name, _ in own.notes] == ["set up", "closed"]
    assert own.notes[1] == ("closed", 1.0)
    for kit in (shared, session):
        assert kit.notes == [("set up", 0.0), ("closed", call.ended)]


def test_the_toolset_of_a_task_is_open_while_the_task_is_in_charge() -> None:
    kit = Kit("kit")

    class Task(AgentTask[str]):
        async def on_enter(self) -> None:
            await asyncio.sleep(1.0)
            self.complete("done")

    @function_tool
    async def asks() -> str:
        """Awaits a task."""
        return await Task(instructions="", tools=[kit])

    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("asks")], [ONE], tools=[asks]))
    check(call)
    [_, began, ended] = [record.t for record in call.records("handoff")]
    assert kit.notes == [("set up", began), ("closed", ended)]


def test_tools_that_are_given_later_are_set_up_and_those_taken_away_closed() -> None:
    first, second = Kit("first", [looks]), Kit("second")
    seen: list[list[str]] = []

    @function_tool
    async def swaps(context: RunContext[Any]) -> str:
        """Swaps the tools."""
        agent = context.session.current_agent
        await agent.update_tools([second, swaps])
        seen.append([name for name, _ in (*first.notes, *second.notes)])
        return "swapped"

    call = hold(
        user(0.2, 0.8, "zaza"),
        user(4.0, 4.6, "zeze"),
        agent=agent([calls("swaps")], [ONE], [TWO], tools=[first, swaps]),
    )
    check(call)
    assert seen == [["set up", "set up"]]
    assert first.notes[1][0] == "closed"
    assert offered(call, 2) == ["swaps"]


def test_provider_tools_reach_the_model_untouched() -> None:
    class Searches(llms.ProviderTool):
        """Runs at the provider's."""

    given: list[list[llms.Tool]] = []
    search = Searches(id="web_search")

    class Watching(Caller):
        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
            given.append(list(tools))
            async for part in Caller.llm_node(self, chat_ctx, tools, model_settings):
                yield part

    call = hold(user(0.2, 0.8, "zaza"), agent=lambda call: Watching(call, [[ONE]], [looks, search]))
    check(call)
    assert any(tool is search for tool in given[0])
