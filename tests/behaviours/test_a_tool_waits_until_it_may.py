"""Effects: what a tool does to the world decides how sure one must be before it runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import UsageError, function_tool
from antiphon.pipeline.calls import BEGINS, Effect, Moment
from tests.scripted import RATE, Call, check, hold, sentence, user
from tests.scripted_tools import Caller, calls, story

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon import Agent

ONE, TWO, THREE = sentence(0), sentence(10), sentence(20)

BEGUN: list[tuple[str, float]] = []


def note(name: str) -> str:
    BEGUN.append((name, asyncio.get_running_loop().time()))
    return name


@function_tool(effect="pure")
async def looks() -> str:
    """Looks something up."""
    return note("looks")


@function_tool
async def books() -> str:
    """Books a table."""
    return note("books")


@function_tool(effect="irrevocable")
async def pays() -> str:
    """Pays."""
    return note("pays")


TOOLS: list[Any] = [looks, books, pays]


@pytest.fixture(autouse=True)
def nothing_has_begun() -> None:
    BEGUN.clear()


def agent(*steps: list[Any]) -> Callable[[Call], Agent]:
    return lambda call: Caller(call, steps, TOOLS, think=0.1)


def heard_until(call: Call, number: int) -> float:
    """When the last sample of the voice's word with that number had been played."""
    return max(
        began + (index + 1) / RATE
        for began, pcm in call.played
        for index, value in enumerate(pcm)
        if value == number
    )


def test_the_table_is_the_whole_rule() -> None:
    assert BEGINS == {
        Effect.PURE: Moment.GUESSED,
        Effect.EFFECT: Moment.COMMITTED,
        Effect.IRREVOCABLE: Moment.ANNOUNCED,
    }


def test_a_pure_tool_runs_while_the_reply_is_only_a_guess() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("looks")], [TWO]))
    check(call)
    [(_, at)] = BEGUN
    [commit] = call.records("commit")
    assert at < commit.t
    second = call.agent.requests[1]  # type: ignore[attr-defined]
    assert second.at >= commit.t  # a speculated reply never starts its second step


def test_an_effect_runs_only_when_the_turn_is_committed() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("books")], [TWO]))
    check(call)
    [commit] = call.records("commit")
    assert [("books", commit.t)] == BEGUN


def test_an_irrevocable_tool_runs_when_its_announcement_has_been_heard_to_its_end() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([ONE, calls("pays")], [TWO]))
    check(call)
    [(_, at)] = BEGUN
    assert at == pytest.approx(heard_until(call, len(ONE.split())), abs=1e-9)


def test_an_irrevocable_tool_without_announcement_runs_when_the_turn_is_committed() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("pays")], [TWO]))
    check(call)
    [commit] = call.records("commit")
    assert [("pays", commit.t)] == BEGUN


def test_it_does_not_wait_for_what_is_said_after_the_call() -> None:
    long = " ".join(sentence(first) for first in (30, 40, 50, 60))
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([ONE, calls("pays"), long], [TWO]))
    check(call)
    [(_, at)] = BEGUN
    announced = heard_until(call, len(ONE.split()))
    assert announced <= at < announced + 0.4  # sound is handed on so far ahead
    assert at < call.records("gone")[0].t - 1.0


def test_a_barge_in_before_that_cancels_it_and_the_model_is_told() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(1.5, 2.1, "zeze"),
        agent=agent([ONE, calls("pays")], [TWO], [THREE]),
    )
    check(call)
    assert BEGUN == []
    assert "call: pays {}" in story(call)
    assert (
        "output: The user interrupted before this tool was run; it was not run. (error)"
        in story(call)
    )


def test_a_pure_tool_of_a_guess_that_is_thrown_away_leaves_no_trace() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(1.2, 1.8, "zeze"),
        agent=agent([calls("looks")], [TWO]),
    )
    assert BEGUN != []
    assert story(call)[-1] == f"assistant: {TWO}"
    assert not [line for line in story(call) if line.startswith("call")]


def test_calls_of_a_guess_that_wait_and_are_thrown_away_leave_no_trace() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(1.2, 1.8, "zeze"),
        agent=agent([calls("books"), calls("pays")], [TWO]),
    )
    check(call)
    assert story(call) == ["user: zaza zeze", f"assistant: {TWO}"]


def test_every_call_that_a_barge_in_prevents_is_answered() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(1.5, 2.1, "zeze"),
        agent=agent([ONE, calls("pays"), calls("pays")], [TWO], [THREE]),
    )
    check(call)
    assert [line for line in story(call) if line.startswith("call")] == ["call: pays {}"] * 2


def test_an_effect_that_nobody_knows_is_refused_where_it_is_written() -> None:
    with pytest.raises(UsageError, match="'pure', 'effect', 'irrevocable'"):
        function_tool(effect="harmless")(looks)  # type: ignore[call-overload]
