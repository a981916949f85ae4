"""Tools that speak: in the foreground, while they work, and when nobody else does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import AgentTask, RunContext, UsageError, function_tool
from antiphon.pipeline.errors import SessionClosed
from tests.scripted import Call, Plain, at, check, cough, hold, sentence, user
from tests.scripted_tools import Caller, calls, story

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from antiphon import Agent
    from tests.scripted_tools import Part

ONE, TWO, THREE, FOUR, FIVE = (sentence(n) for n in (0, 10, 20, 30, 40))


def agent(*steps: Sequence[Part], tools: Sequence[Any]) -> Callable[[Call], Agent]:
    return lambda call: Caller(call, steps, tools)


def said(call: Call) -> list[str]:
    return [line for line in story(call) if line.startswith(("user", "assistant"))]


def now() -> float:
    return asyncio.get_running_loop().time()


@function_tool
async def slow(context: RunContext[Any]) -> str:
    """Reports, and ends three seconds later."""
    await context.update("begun")
    await asyncio.sleep(3.0)
    return "done"


def test_a_session_is_idle_when_the_answer_has_been_heard() -> None:
    times: list[float] = []

    class Greeting(Plain):
        async def on_enter(self) -> None:
            self.session.say(ONE)
            assert await self.session.wait_for_idle() is self
            times.append(now())

    call = hold(at(0.1, lambda _: None), agent=lambda call: Greeting(call.caller, call.voice))
    check(call)
    assert times == [call.records("gone")[-1].t]


def test_the_foreground_keeps_the_reports_of_other_tools_waiting() -> None:
    @function_tool
    async def asks(context: RunContext[Any]) -> str:
        """Says two things in a row."""
        async with context.foreground():
            await context.session.say(TWO)
            await asyncio.sleep(3.0)
            await context.session.say(THREE)
        return "asked"

    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=agent([calls("slow"), calls("asks")], [FOUR], [FIVE], tools=[slow, asks]),
    )
    check(call)
    assert said(call)[1:] == [f"assistant: {text}" for text in (TWO, THREE, FOUR, FIVE)]


def test_what_a_tool_reported_is_told_before_it_takes_the_foreground() -> None:
    @function_tool
    async def asks(context: RunContext[Any]) -> None:
        """Reports, then speaks."""
        await context.update("begun")
        await context.update("half way")
        async with context.foreground():
            await context.session.say(THREE)

    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("asks")], [ONE], [TWO], tools=[asks]))
    check(call)
    assert said(call)[1:] == [f"assistant: {text}" for text in (ONE, TWO, THREE)]


def test_a_foreground_within_a_foreground_does_not_wait_for_itself() -> None:
    @function_tool
    async def asks(context: RunContext[Any]) -> str:
        """Holds twice."""
        async with context.foreground(), context.foreground():
            await context.session.say(TWO)
        return "asked"

    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("asks")], [THREE], tools=[asks]))
    check(call)
    assert said(call)[1:] == [f"assistant: {text}" for text in (TWO, THREE)]


def test_a_task_in_the_foreground_may_use_tools_in_the_foreground() -> None:
    call = Call()

    @function_tool
    async def inner(context: RunContext[Any]) -> str:
        """Speaks in the task's foreground."""
        async with context.foreground():
            await context.session.say(TWO)
        context.session.current_agent.complete("done")  # type: ignore[attr-defined]
        return "said"

    class Task(AgentTask[str], Caller):
        """Does what the model says."""

    @function_tool
    async def outer(context: RunContext[Any]) -> str:
        """Awaits a task in the foreground."""
        async with context.foreground():
            steps = [[calls("inner")], [THREE]]
            # Its other base takes `call` and `steps`.
            return await Task(call=call, steps=steps, tools=[inner])  # type: ignore[call-arg]

    hold(
        user(0.2, 0.8, "zaza"),
        user(4.0, 4.6, "zeze"),
        agent=agent([calls("outer")], [FOUR], tools=[outer]),
        call=call,
    )
    check(call)
    assert said(call)[-1] == f"assistant: {FOUR}"
    assert f"assistant: {TWO}" in said(call)


def test_waiting_for_idle_in_a_hook_that_keeps_the_turn_raises_at_once() -> None:
    errors: list[Exception] = []

    class Waiting(Plain):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            with pytest.raises(UsageError) as caught:
                await self.session.wait_for_idle()
            errors.append(caught.value)

    call = hold(user(0.2, 0.8, "zaza"), agent=lambda call: Waiting(call.caller, call.voice))
    check(call)
    assert len(errors) == 1


def test_a_close_ends_the_wait_for_idle_of_a_tool() -> None:
    errors: list[Exception] = []

    @function_tool
    async def waits(context: RunContext[Any]) -> None:
        """Waits for a silence that does not come."""
        try:
            async with context.foreground():
                pass
        except SessionClosed as closed:
            errors.append(closed)
            raise

    long = " ".join(sentence(n) for n in range(0, 200, 10))
    call = hold(
        user(0.2, 0.8, "zaza"), agent=agent([calls("waits"), long], tools=[waits]), until=3.0
    )
    check(call)
    assert len(errors) == 1
    assert call.ended == 3.0


# Fillers.


def filled(source: Any, **options: Any) -> Any:
    @function_tool
    async def works(context: RunContext[Any]) -> str:
        """Works for ten seconds."""
        async with context.with_filler(source, **options):
            await asyncio.sleep(10.0)
        return "done"

    return works


def test_a_filler_is_said_once_it_has_been_quiet_for_its_delay() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=agent([ONE, calls("works")], [THREE], tools=[filled(TWO, delay=2.0)]),
    )
    check(call)
    assert said(call)[1:] == [f"assistant: {text}" for text in (ONE, TWO, THREE)]
    assert call.records("reply_started")[1].t == call.records("gone")[0].t + 2.0


def test_a_filler_says_something_else_each_time_until_it_has_said_enough() -> None:
    steps = iter((TWO, None, THREE, FOUR))
    seen: list[int] = []

    def source(step: int) -> str | None:
        seen.append(step)
        return next(steps)

    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=agent(*([calls("works")], [FIVE]), tools=[filled(source, interval=1.0, max_steps=2)]),
    )
    check(call)
    assert seen == [0, 1, 1]
    assert said(call)[1:] == [f"assistant: {text}" for text in (TWO, THREE, FIVE)]


def test_an_update_is_not_followed_by_a_filler_at_once() -> None:
    @function_tool
    async def works(context: RunContext[Any]) -> str:
        """Reports in the middle."""
        async with context.with_filler(TWO, delay=2.0):
            await asyncio.sleep(1.5)
            await context.update("half way")
            await asyncio.sleep(8.0)
        return "done"

    call = hold(
        user(0.2, 0.8, "zaza"), agent=agent([calls("works")], [ONE], [THREE], tools=[works])
    )
    check(call)
    assert said(call)[1:] == [f"assistant: {text}" for text in (ONE, TWO, THREE)]


def test_a_filler_that_fails_ends_neither_the_tool_nor_the_conversation(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def source(step: int) -> str:
        raise OSError("nothing to say")

    call = hold(
        user(0.2, 0.8, "zaza"), agent=agent([calls("works")], [THREE], tools=[filled(source)])
    )
    assert call.heard == THREE.split()
    assert "the filler of works failed" in caplog.text


def test_a_filler_without_end_is_refused() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=agent([calls("works")], [THREE], tools=[filled(ONE, delay=-1.0)]),
    )
    assert "output: An internal error occurred (error)" in story(call)


def test_the_user_who_interrupts_a_speech_hears_no_more_fillers_of_its_tools() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(3.0, 3.6, "zeze"),
        agent=agent(
            *([calls("works")], [THREE], [FOUR]), tools=[filled(TWO, delay=1.0, interval=4.0)]
        ),
    )
    check(call)
    assert said(call) == ["user: zaza", f"assistant: {TWO}", "user: zeze", f"assistant: {THREE}"]


@pytest.mark.parametrize("moment", [round(1.4 + 0.01 * n, 2) for n in range(0, 300, 2)])
def test_a_filler_may_be_interrupted_at_any_moment(moment: float) -> None:
    texts = [[sentence(n)] for n in range(100, 300, 10)]
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(moment, moment + 0.6, "zeze"),
        agent=agent([calls("works")], *texts, tools=[filled(TWO, delay=0.5, interval=0.3)]),
    )
    check(call)


def test_a_tool_that_forbids_interruptions_ends_the_pause_of_a_cough() -> None:
    @function_tool
    async def firm(context: RunContext[Any]) -> None:
        """Is not to be interrupted."""
        await asyncio.sleep(1.2)
        assert context.session.agent_state == "listening"
        context.disallow_interruptions()
        assert context.session.agent_state == "speaking"

    long = " ".join(sentence(n) for n in range(100, 160, 10))
    call = hold(
        user(0.2, 0.8, "zaza"),
        cough(2.05, 0.6),
        agent=agent([calls("firm"), long], tools=[firm]),
    )
    check(call)
    assert call.heard == long.split()
