"""Running tools: the model stops them, doubles them or replaces them, and agents leave them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import RunContext, function_tool
from antiphon import llm as llms
from antiphon.toolsets import AsyncToolset
from tests.scripted import Call, at, check, hold, sentence, user
from tests.scripted_tools import Caller, calls, story
from tests.sweeps import each

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from antiphon import Agent
    from tests.scripted_tools import Part

ONE, TWO, THREE, FOUR = (sentence(n) for n in (0, 10, 20, 30))
CANCELLABLE = llms.ToolFlag.CANCELLABLE

ENDS: list[str] = []


@pytest.fixture(autouse=True)
def nothing_has_ended() -> None:
    ENDS.clear()


def working(**options: Any) -> Any:
    """A tool that reports once, and needs ten seconds more."""

    async def work(context: RunContext[Any], what: str = "", how: str = "well") -> str:
        """Works.

        Args:
            what: at what
            how: how
        """
        try:
            await context.update("begun")
            await asyncio.sleep(10.0)
        except asyncio.CancelledError:
            ENDS.append(f"{what} cancelled")
            raise
        ENDS.append(f"{what} done")
        return f"result of {what}"

    work.__annotations__["context"] = RunContext[Any]
    return function_tool(name="work", **options)(work)


def agent(*steps: Sequence[Part], tools: Sequence[Any]) -> Callable[[Call], Agent]:
    return lambda call: Caller(call, steps, tools)


def outputs(call: Call) -> list[str]:
    return [line for line in story(call) if line.startswith("output")]


TWICE = [calls("work", "a", what="x"), calls("work", "b", what="x")]


# Cancelling.


def test_the_two_tools_for_running_calls_are_offered_where_one_may_be_cancelled() -> None:
    for options, offered in (({"flags": CANCELLABLE}, True), ({}, False)):
        call = hold(user(0.2, 0.8, "zaza"), agent=agent([ONE], tools=[working(**options)]))
        names = call.agent.requests[0].tools  # type: ignore[attr-defined]
        assert ("lk_agents_cancel_task" in names) is offered
        assert ("lk_agents_get_running_tasks" in names) is offered


def test_the_model_finds_and_stops_a_running_call() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(4.0, 4.6, "zeze"),
        agent=agent(
            *([calls("work", "a", what="x")], [ONE]),
            [calls("lk_agents_get_running_tasks"), calls("lk_agents_cancel_task", call_id="a")],
            [TWO],
            tools=[working(flags=CANCELLABLE)],
        ),
    )
    check(call)
    assert ENDS == ["x cancelled"]
    assert "'call_id': 'a'" in outputs(call)[1]
    assert outputs(call)[2] == "output: Task a cancelled successfully."
    last = call.reported("tool_execution_updated")
    assert ("a_final", "cancelled") in [
        (e.update.id, e.update.status) for e in last if e.update.type == "tool_call_ended"
    ]


@pytest.mark.parametrize(
    ("options", "wanted", "answer"),
    [
        ({"flags": CANCELLABLE}, "b", "Task b not found or already completed"),
        ({}, "a", "Tool call a is not cancellable"),
    ],
)
def test_what_cannot_be_stopped_goes_on_and_the_model_is_told(
    options: dict[str, Any], wanted: str, answer: str
) -> None:
    @function_tool(flags=CANCELLABLE)
    async def other() -> None:
        """Makes the two tools appear."""

    call = hold(
        user(0.2, 0.8, "zaza"),
        user(4.0, 4.6, "zeze"),
        agent=agent(
            *([calls("work", "a", what="x")], [ONE]),
            *([calls("lk_agents_cancel_task", call_id=wanted)], [TWO], [THREE]),
            tools=[working(**options), other],
        ),
    )
    check(call)
    assert ENDS == ["x done"]
    assert outputs(call)[1] == f"output: {answer} (error)"


# Duplicates.


def test_duplicates_run_side_by_side_unless_the_tool_says_otherwise() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent(TWICE, [ONE], [TWO], tools=[working()]))
    check(call)
    assert ENDS == ["x done", "x done"]
    assert call.heard == f"{ONE} {TWO}".split()  # both results in one reply


def test_a_rejected_duplicate_does_not_run_and_the_model_is_told_what_does() -> None:
    tools = [working(on_duplicate="reject")]
    call = hold(user(0.2, 0.8, "zaza"), agent=agent(TWICE, [ONE], [TWO], tools=tools))
    check(call)
    assert ENDS == ["x done"]
    assert "`work` was not started, because it is running already" in outputs(call)[1]
    assert '"call_id":"a"' in outputs(call)[1]


def test_a_duplicate_that_is_to_be_confirmed_runs_once_it_is() -> None:
    twice = [
        calls("work", "a", what="x"),
        calls("work", "b", what="x"),
        calls("work", "c", what="y", lk_agents_confirm_duplicate=True),
    ]
    tools = [working(on_duplicate="confirm")]
    call = hold(user(0.2, 0.8, "zaza"), agent=agent(twice, [ONE], [TWO], tools=tools))
    check(call)
    assert ENDS == ["x done", "y done"]
    assert "lk_agents_confirm_duplicate" in outputs(call)[1]


def test_a_replacing_duplicate_stops_the_first() -> None:
    twice = [calls("work", "a", what="x"), calls("work", "b", what="y")]
    tools = [working(on_duplicate="replace", flags=CANCELLABLE)]
    call = hold(user(0.2, 0.8, "zaza"), agent=agent(twice, [ONE], [TWO], tools=tools))
    check(call)
    assert ENDS == ["x cancelled", "y done"]


def test_a_call_that_cannot_be_stopped_is_not_replaced() -> None:
    twice = [calls("work", "a", what="x"), calls("work", "b", what="y")]
    tools = [working(on_duplicate="replace")]
    call = hold(user(0.2, 0.8, "zaza"), agent=agent(twice, [ONE], [TWO], tools=tools))
    check(call)
    assert ENDS == ["x done"]
    assert "output: Tool call a is not cancellable (error)" in outputs(call)


def test_with_arguments_in_scope_only_the_same_arguments_make_a_duplicate() -> None:
    three = [
        calls("work", "a", what="x"),
        calls("work", "b", what="y"),
        calls("work", "c", what="x", how="well"),
    ]
    tools = [working(on_duplicate="reject", duplicate_scope="name_and_args")]
    call = hold(user(0.2, 0.8, "zaza"), agent=agent(three, [ONE], [TWO], tools=tools))
    check(call)
    assert ENDS == ["x done", "y done"]


def test_a_call_that_is_over_makes_no_duplicate() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(14.0, 14.6, "zeze"),
        agent=agent(
            *([calls("work", "a", what="x")], [ONE], [TWO]),
            *([calls("work", "b", what="x")], [THREE], [FOUR]),
            tools=[working(on_duplicate="reject")],
        ),
    )
    check(call)
    assert ENDS == ["x done", "x done"]


# Handoffs.


def handing_over(*tools: Any, session: Sequence[Any] = (), until: float | None = None) -> Call:
    """One agent runs a tool, and another takes over at 4 seconds."""
    second: list[Agent] = []

    def take_over(call: Call) -> None:
        second.append(Caller(call, [[TWO], [THREE]], list(tools)))
        call.session.update_agent(second[0])

    call = hold(
        user(0.2, 0.8, "zaza"),
        at(4.0, take_over),
        until=until,
        agent=agent([calls("work", "a", what="x")], [ONE], [FOUR], tools=tools),
        tools=list(session),
    )
    check(call)
    return call


def test_a_tool_that_may_be_cancelled_ends_when_its_agent_hands_over() -> None:
    call = handing_over(working(flags=CANCELLABLE))
    assert ENDS == ["x cancelled"]
    assert [record.t for record in call.records("handoff")] == [0.0, 4.0]
    assert call.heard == ONE.split()


def test_a_tool_that_may_not_is_waited_for_and_its_result_told_before() -> None:
    call = handing_over(working())
    assert ENDS == ["x done"]
    assert story(call)[-2:] == [f"assistant: {FOUR}", "handoff: caller to caller"]


def test_a_tool_of_the_session_survives_and_the_agent_in_charge_tells_its_result() -> None:
    call = handing_over(session=[AsyncToolset(id="session", tools=[working(flags=CANCELLABLE)])])
    assert ENDS == ["x done"]
    assert story(call)[-4:] == [
        "handoff: caller to caller",
        *('call: work {"what": "x"}', "output: result of x", f"assistant: {TWO}"),
    ]
    assert "result of x" in str(call.session.current_agent.chat_ctx.items)


def test_a_tool_that_never_ends_does_not_hold_its_agent_for_ever() -> None:
    @function_tool(name="work")
    async def endless(context: RunContext[Any], what: str) -> None:
        """Never ends.

        Args:
            what: at what
        """
        await context.update("begun")
        await asyncio.Event().wait()

    call = handing_over(endless, until=40.0)
    assert [record.t for record in call.records("handoff")] == [0.0, 34.0]


def test_tools_of_an_agent_that_a_close_overtakes_are_stopped() -> None:
    call = handing_over(working(flags=CANCELLABLE), until=3.5)
    assert ENDS == ["x cancelled"]
    assert call.ended == 3.5


@pytest.mark.parametrize("moment", each([round(1.0 + 0.02 * n, 2) for n in range(120)]))
def test_a_handoff_at_any_moment_of_a_tool_leaves_nothing_behind(moment: float) -> None:
    texts = [[sentence(n)] for n in range(100, 300, 10)]

    def take_over(call: Call) -> None:
        call.session.update_agent(Caller(call, texts[10:], [quick]))

    call = hold(
        user(0.2, 0.8, "zaza"),
        at(moment, take_over),
        user(4.0, 4.6, "zeze"),
        agent=agent([calls("quick", "a")], *texts[:10], tools=[quick]),
    )
    check(call)


@function_tool(flags=CANCELLABLE)
async def quick(context: RunContext[Any]) -> str:
    """Reports twice."""
    await context.update("begun")
    await asyncio.sleep(0.4)
    await context.update("half way")
    await asyncio.sleep(0.4)
    return "done"
