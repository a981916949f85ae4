"""A tool that takes its time goes on in the background, and what it finds is told when it fits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from antiphon import RunContext, ToolError, function_tool
from tests.long_tools import agent, ids, requests, search, told
from tests.scripted import Call, check, hold, sentence, user
from tests.scripted_tools import Caller, calls, story

if TYPE_CHECKING:
    from livekit.agents.voice.tool_executor import ToolHandlingOptions

    from antiphon import Agent

ONE, TWO, THREE, FOUR = (sentence(n) for n in (0, 10, 20, 30))


def test_the_first_update_answers_the_call_and_the_result_is_told_later() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("search", "c")], [ONE], [TWO]))
    check(call)
    assert call.heard == f"{ONE} {TWO}".split()
    assert ids(call) == ["c", "c_final"]
    assert [request.choice for request in requests(call)][1] == "none"
    assert requests(call)[2].choice != "none"
    [started] = call.records("tool_started")
    assert requests(call)[2].at == started.t + 8.0


def test_a_report_says_that_the_tool_goes_on() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("search")], [ONE], [TWO]))
    report = next(line for line in story(call) if line.startswith("output"))
    assert "step 0" in report
    assert "`search`" in report
    assert "not finished" in report


def test_later_updates_and_the_result_are_told_together_when_nobody_speaks() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=agent([calls("search", "c", reports=3, seconds=0.3)], [ONE], [TWO]),
    )
    check(call)
    assert ids(call) == ["c", "c_update_1", "c_update_2", "c_final"]
    assert call.heard == f"{ONE} {TWO}".split()
    assert requests(call)[2].at == call.records("gone")[1].t


def test_what_is_found_while_the_user_speaks_waits_until_they_have_been_answered() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(4.0, 6.0, "zeze"),
        agent=agent([calls("search", seconds=4.0)], [ONE], [TWO], [THREE]),
    )
    check(call)
    assert [line for line in story(call) if line.startswith(("user", "assistant"))] == [
        *("user: zaza", f"assistant: {ONE}"),
        *("user: zeze", f"assistant: {TWO}", f"assistant: {THREE}"),
    ]
    answer, deferred = (request.context for request in requests(call)[2:4])
    assert "found three" in str([getattr(item, "output", "") for item in answer.items])
    assert "you have spoken since" in str(deferred.items[-1])


def test_a_result_at_the_end_of_the_history_is_simply_told() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("search", "c")], [ONE], [TWO]))
    system = str(requests(call)[2].context.items[-1])
    assert "c_final" in system
    assert "you have spoken since" not in system


def test_silent_updates_are_for_the_model_alone() -> None:
    @function_tool
    async def quiet(context: RunContext[Any]) -> str | None:
        """Says nothing."""
        await context.update("one", silent=True)
        await context.update("two", silent=True)
        return None

    call = hold(
        user(0.2, 0.8, "zaza"), agent=agent([ONE, calls("quiet", "c")], [TWO], tools=[quiet])
    )
    check(call)
    assert call.heard == ONE.split()
    assert ids(call) == ["c", "c_update_1", "c_final"]


def test_an_error_after_an_update_is_told_like_a_result() -> None:
    @function_tool
    async def fails(context: RunContext[Any]) -> str:
        """Fails late."""
        await context.update("begun")
        await asyncio.sleep(5.0)
        raise ToolError("no seats left")

    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("fails")], [ONE], [TWO], tools=[fails]))
    assert "output: no seats left (error)" in story(call)
    assert call.heard == f"{ONE} {TWO}".split()
    assert told(call)[-3:] == [
        "tool_call_ended error",
        "tool_reply_updated scheduled",
        "tool_reply_updated completed",
    ]


def test_an_agent_returned_after_an_update_does_not_take_over() -> None:
    class Other(Caller):
        """Somebody else."""

    @function_tool
    async def moves(context: RunContext[Any]) -> Any:
        """Hands over too late."""
        await context.update("begun")
        return Other(call, [])

    call = Call()
    hold(
        user(0.2, 0.8, "zaza"),
        agent=agent([calls("moves")], [ONE], [TWO], tools=[moves]),
        call=call,
    )
    assert not [line for line in story(call) if line.startswith("handoff")]
    assert any("handoff did not happen" in line for line in story(call))
    assert call.heard == f"{ONE} {TWO}".split()


def test_the_events_tell_the_whole_life_of_a_call() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("search", "c")], [ONE], [TWO]))
    assert told(call) == [
        "tool_call_started",
        "tool_call_updated",
        "tool_call_ended done",
        "tool_reply_updated scheduled",
        "tool_reply_updated completed",
    ]
    updates = [event.update for event in call.reported("tool_execution_updated")]
    assert [getattr(update, "id", None) for update in updates] == [None, "c", "c_final", None, None]
    assert updates[1].message == "step 0"
    assert updates[2].message == "found three"
    assert updates[3].update_ids == ["c_final"]


@function_tool(effect="pure")
async def looks(context: RunContext[Any]) -> str:
    """Looks something up."""
    await context.update("begun")
    await context.update("more")
    return "seen"


def test_a_call_that_is_only_a_guess_is_not_told_of() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(1.2, 1.8, "zeze"),
        agent=agent([calls("looks")], [ONE], tools=[looks]),
    )
    check(call)
    assert told(call) == []
    assert ids(call) == []


def test_a_pure_tool_that_reports_while_the_reply_is_a_guess_is_told_when_it_is_none() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=agent([calls("looks", "c")], [ONE], [TWO], tools=[looks]),
    )
    check(call)
    assert ids(call) == ["c", "c_update_1", "c_final"]
    assert call.heard == f"{ONE} {TWO}".split()


def test_templates_of_the_agent_hold_over_those_of_the_session() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=lambda call: _templated(call, {"update_template": "{message}!"}),
        tool_handling={
            "async_options": {
                "update_template": "?",
                "reply_at_tail_template": lambda given: "tell " + "+".join(given["call_ids"]),
            }
        },
    )
    assert "output: step 0!" in story(call)
    assert str(requests(call)[2].context.items[-1].content[0]) == "tell c_final"  # type: ignore[union-attr]


def _templated(call: Call, options: dict[str, Any]) -> Agent:
    made = Caller(call, [[calls("search", "c")], [ONE], [TWO]], [search])
    made._tool_handling = cast("ToolHandlingOptions", {"async_options": options})
    return made


def test_ids_that_a_model_uses_again_are_told_apart() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(9.0, 9.6, "zeze"),
        agent=agent(
            *([calls("search", "call_1", seconds=1.0)], [ONE], [TWO]),
            *([calls("search", "call_1", seconds=1.0)], [THREE], [FOUR]),
        ),
    )
    check(call)
    assert ids(call) == ["call_1", "call_1_final", "call_1_2", "call_1_2_final"]


def test_a_model_that_finds_all_of_it_told_says_nothing() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("search")], [ONE], []))
    check(call)
    assert told(call)[-1] == "tool_reply_updated skipped"


def test_the_reply_to_a_result_may_call_tools_of_its_own() -> None:
    @function_tool
    async def books() -> str:
        """Books."""
        return "booked"

    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=agent(
            *([calls("search")], [ONE], [calls("books")], [TWO]),
            tools=[search, books],
        ),
    )
    check(call)
    assert story(call)[-3:] == ["call: books {}", "output: booked", f"assistant: {TWO}"]


def test_a_session_that_closes_waits_for_nobody_who_reports() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"), agent=agent([calls("search", "c", seconds=60.0)], [ONE]), until=5.0
    )
    check(call)
    assert ids(call) == ["c"]
    assert call.ended == pytest.approx(10.0, abs=1e-9)  # what a tool may take at the end
