"""Long tools, tasks, handoffs, barge-ins and closes in every order: nothing waits for ever."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import AgentTask, RunContext, function_tool
from tests.scripted import Call, at, check, hold, sentence, user
from tests.scripted_tools import Caller, calls, story
from tests.sweeps import each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from antiphon import Agent

EVERY = each([round(1.35 + 0.05 * n, 2) for n in range(120)])


def texts(part: int) -> Iterator[list[Any]]:
    """What a model says when nothing else is scripted: words that no other part has."""
    yield from ([sentence(n)] for n in range(part * 500, part * 500 + 500, 10))


class Survey(AgentTask[str], Caller):
    """Asks one question, and is done a while after it."""

    async def on_enter(self) -> None:
        await self.session.say(sentence(500))
        await asyncio.sleep(0.5)
        if not self.done():
            self.complete("yes")


@function_tool
async def reports(context: RunContext[Any]) -> str:
    """Reports twice."""
    for note in ("begun", "half way"):
        await context.update(note)
        await asyncio.sleep(1.0)
    return "done"


@function_tool
async def surveys(context: RunContext[Any]) -> str:
    """Reports, then holds a survey in the foreground."""
    await context.update("begun")
    async with context.with_filler(sentence(600), delay=0.3), context.foreground():
        call, surveys_so_far = CALLS[-1]
        steps = texts(next(surveys_so_far))
        # Its other base takes these.
        return await Survey(call=call, steps=steps)  # type: ignore[call-arg]


TOOLS = [reports, surveys]
CALLS: list[tuple[Call, Iterator[int]]] = []  # each survey of a call in its own words


def busy(call: Call) -> Agent:
    CALLS.append((call, itertools.count(10)))
    return Caller(call, itertools.chain([[calls("reports"), calls("surveys")]], texts(2)), TOOLS)


def other(call: Call) -> Agent:
    return Caller(call, texts(3), TOOLS)


def take_over(call: Call) -> None:
    call.session.update_agent(other(call))


@pytest.mark.parametrize("moment", EVERY)
def test_the_user_may_speak_at_any_moment_of_a_task_in_the_foreground(moment: float) -> None:
    call = hold(user(0.2, 0.8, "zaza"), user(moment, moment + 0.6, "zeze"), agent=busy)
    check(call)
    assert call.session.conversation.agent is call.agent
    assert "output: yes" in story(call)


@pytest.mark.parametrize("moment", EVERY)
def test_a_handoff_at_any_moment_of_a_task_in_the_foreground_is_carried_out(moment: float) -> None:
    call = hold(user(0.2, 0.8, "zaza"), at(moment, take_over), user(12.0, 12.6, "zeze"), agent=busy)
    check(call)
    assert call.session.conversation.agent is not call.agent
    last = call.records("handoff")[-1].t
    assert last < moment + 8.0


@pytest.mark.parametrize("moment", EVERY)
def test_a_close_at_any_moment_of_it_takes_no_longer_than_its_limits(moment: float) -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=busy, until=moment)
    check(call)
    assert call.ended <= moment + 5.0 + 0.25


@pytest.mark.parametrize("moment", EVERY)
def test_an_interruption_by_the_application_at_any_moment_loses_nothing(moment: float) -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        at(moment, lambda call: call.session.interrupt(force=True)),
        agent=busy,
    )
    check(call)
    assert {"output: yes", "output: done"} <= set(story(call))


@pytest.mark.parametrize("moment", EVERY)
def test_a_drain_at_any_moment_waits_for_what_is_to_be_told(moment: float) -> None:
    call = hold(
        user(0.2, 0.8, "zaza"), at(moment, lambda call: call.session.shutdown()), agent=busy
    )
    check(call)


def test_a_tool_in_the_foreground_may_hand_over() -> None:
    @function_tool
    async def moves(context: RunContext[Any]) -> str:
        """Hands over, and waits for silence."""
        await context.update("begun")
        async with context.foreground():
            take_over(call)
            await asyncio.sleep(1.0)
            await context.session.wait_for_idle()
        return "moved"

    def made(call: Call) -> Agent:
        return Caller(call, itertools.chain([[calls("moves")]], texts(2)), [moves])

    call = Call()
    hold(user(0.2, 0.8, "zaza"), agent=made, call=call)
    check(call)
    assert call.session.conversation.agent is not call.agent
    assert call.records("handoff")[-1].t < 8.0
