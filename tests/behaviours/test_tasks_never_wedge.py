"""A task ends whatever happens, where it is awaited; the user is answered, once, all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import AgentTask, ToolError, function_tool
from antiphon import llm as llms
from tests.scripted import Call, at, check, hold, sentence, user
from tests.scripted_tools import Caller, calls, story
from tests.sweeps import each

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon import Agent

ONE, TWO, THREE, FOUR, FIVE = (sentence(first) for first in (0, 10, 20, 30, 40))


class Asks(AgentTask[str]):
    """Asks a question, and is done with the first answer."""

    def __init__(self, call: Call, question: str = TWO) -> None:
        super().__init__(instructions="Ask.")
        self.call, self.question, self.voice, self.caller = call, question, call.voice, call.caller
        self.left = 0

    async def on_enter(self) -> None:
        await self.session.say(self.question)

    async def on_exit(self) -> None:
        self.left += 1

    async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
        self.complete(new_message.text_content)
        raise llms.StopResponse

    stt_node = Caller.stt_node
    tts_node = Caller.tts_node


def asking(make: Callable[[Call], AgentTask[Any]], came: list[Any]) -> Callable[[Call], Agent]:
    """An agent with a tool that awaits a task; what comes of it goes to `came`."""

    def agent(call: Call) -> Agent:
        @function_tool
        async def name() -> str:
            """Ask for the name."""
            try:
                came.append(await make(call))
            except Exception as error:
                came.append(error)
                raise ToolError(str(error)) from error
            return str(came[-1])

        return Caller(call, [[ONE, calls("name")], [THREE], [FOUR], [FIVE]], [name])

    return agent


def test_on_enter_that_raises_is_raised_where_the_task_is_awaited() -> None:
    class Broken(Asks):
        async def on_enter(self) -> None:
            raise ValueError("no form")

    came: list[Any] = []
    call = hold(user(0.2, 0.8, "zaza"), agent=asking(Broken, came))
    check(call)
    assert [str(error) for error in came] == ["no form"]
    assert story(call)[-1] == f"assistant: {THREE}"


def test_a_task_that_is_done_before_it_is_awaited_gives_its_result_at_once() -> None:
    def make(call: Call) -> AgentTask[str]:
        task = Asks(call)
        task.complete("early")
        return task

    came: list[Any] = []
    call = hold(user(0.2, 0.8, "zaza"), agent=asking(make, came))
    check(call)
    assert came == ["early"]
    assert not any("handoff" in line for line in story(call))


def test_a_task_is_completed_once_and_awaited_once() -> None:
    call, seen = Call(), list[str]()

    @function_tool
    async def name() -> str:
        """Ask for the name."""
        task = Asks(call)
        answer = await task
        with pytest.raises(RuntimeError, match="already done"):
            task.complete("again")
        with pytest.raises(RuntimeError, match="only once"):
            await task
        seen.append(answer)
        return answer

    hold(
        user(0.2, 0.8, "zaza"),
        user(6.0, 6.6, "zeze"),
        agent=lambda c: Caller(c, [[ONE, calls("name")], [THREE]], [name]),
        call=call,
    )
    check(call)
    assert seen == ["zeze"]


def test_a_tool_may_await_one_task_after_another() -> None:
    call, first = Call(), []

    @function_tool
    async def both() -> str:
        """Ask twice."""
        first.append(Asks(call))
        return f"{await first[0]} and {await Asks(call, THREE)}"

    hold(
        user(0.2, 0.8, "zaza"),
        user(6.0, 6.6, "zeze"),
        user(12.0, 12.6, "zizi"),
        agent=lambda c: Caller(c, [[ONE, calls("both")], [FOUR]], [both]),
        call=call,
    )
    check(call)
    assert "output: zeze and zizi" in story(call)
    assert first[0].left == 1


@pytest.mark.parametrize("way", ["cancel", "update_agent", "wait_for"])
def test_a_task_that_is_ended_from_outside_leaves_the_user_with_an_agent(way: str) -> None:
    call, tasks, came = Call(), list[Asks](), list[Any]()

    @function_tool
    async def name() -> str:
        """Ask for the name."""
        tasks.append(Asks(call))
        try:
            limit = 3.0 if way == "wait_for" else None
            return await asyncio.wait_for(_wait(tasks[0]), limit)
        except (ToolError, TimeoutError) as error:
            came.append(type(error).__name__)
            raise ToolError("it was ended") from error

    def end(call: Call) -> None:
        if way == "cancel":
            tasks[0].cancel()
        elif way == "update_agent":
            call.session.update_agent(Caller(call, [[FOUR]]))

    hold(
        user(0.2, 0.8, "zaza"),
        at(3.5, end),
        user(8.0, 8.6, "zeze"),
        agent=lambda c: Caller(c, [[ONE, calls("name")], [THREE], [FOUR], [FIVE]], [name]),
        call=call,
    )
    check(call)
    assert len(came) == 1
    assert tasks[0].left == 1
    assert story(call)[-1] == f"assistant: {FOUR}"


async def _wait(task: AgentTask[str]) -> str:
    return await task


def test_a_task_inside_one_that_is_over_is_given_up() -> None:
    call, outer = Call(), list[AgentTask[str]]()

    class Outer(Asks):
        async def on_enter(self) -> None:
            await Asks(self.call, TWO)

    def make(call: Call) -> AgentTask[str]:
        outer.append(Outer(call))
        return outer[0]

    came: list[Any] = []
    hold(
        user(0.2, 0.8, "zaza"),
        at(4.0, lambda call: outer[0].complete("enough")),
        user(8.0, 8.6, "zeze"),
        agent=asking(make, came),
        call=call,
    )
    check(call)
    assert came == ["enough"]
    assert story(call)[-1] == f"assistant: {FOUR}"


def test_a_task_awaited_in_on_exit_is_done_before_the_next_agent_begins() -> None:
    call, came = Call(), list[str]()

    class Leaves(Caller):
        async def on_exit(self) -> None:
            if not came:
                came.append(await Asks(call, TWO))

    hold(
        at(0.2, lambda call: call.session.update_agent(Caller(call, [[THREE]]))),
        user(3.0, 3.6, "zaza"),
        user(6.0, 6.6, "zeze"),
        agent=lambda c: Leaves(c, [[ONE]]),
        call=call,
    )
    check(call)
    assert came == ["zaza"]
    assert story(call)[-1] == f"assistant: {THREE}"


def test_a_session_that_closes_waits_for_no_task_in_on_exit() -> None:
    call = Call()

    class Leaves(Caller):
        async def on_exit(self) -> None:
            await Asks(call, TWO)

    hold(agent=lambda c: Leaves(c, [[ONE]]), call=call, until=1.0)
    check(call)
    assert call.ended == 1.0


def test_a_model_that_fails_in_a_task_leaves_it_waiting_for_the_next_answer() -> None:
    class Fails(Asks):
        tries = 0

        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            self.tries += 1
            if self.tries > 1:
                await super().on_user_turn_completed(turn_ctx, new_message)

        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
            raise llms.ToolError("down")
            yield ""

    came: list[Any] = []
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(6.0, 6.6, "zeze"),
        user(9.0, 9.6, "zizi"),
        agent=asking(Fails, came),
    )
    check(call, errors=1)
    assert came == ["zizi"]


@pytest.mark.parametrize("force", [False, True])
def test_interrupting_a_task_leaves_what_the_agent_that_waits_has_to_say(force: bool) -> None:
    came: list[Any] = []
    call = hold(
        user(0.2, 0.8, "zaza"),
        at(4.0, lambda call: call.session.interrupt(force=force)),
        user(6.0, 6.6, "zeze"),
        agent=asking(Asks, came),
    )
    check(call)
    assert came == ["zeze"]
    assert story(call)[-1].startswith("assistant:")


@pytest.mark.parametrize("moment", each(range(700)))
def test_an_interruption_at_any_moment_of_a_task_wedges_nothing(moment: int) -> None:
    came: list[Any] = []
    call = hold(
        user(0.2, 0.8, "zaza"),
        at(0.8 + moment / 100, lambda call: call.session.interrupt(force=True)),
        user(5.0, 5.6, "zeze"),
        user(9.0, 9.6, "zizi"),
        agent=asking(Asks, came),
    )
    check(call)
    assert came in ([], ["zeze"])
    assert story(call).count("user: zeze") == 1
    assert call.session.current_agent.id == "caller"


@pytest.mark.parametrize("moment", each(range(300)))
def test_what_is_said_while_a_task_takes_over_or_gives_back_is_heard_once(moment: int) -> None:
    came: list[Any] = []
    begin = 1.2 + moment / 100
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(begin, begin + 0.4, "zeze"),
        user(8.0, 8.6, "zizi"),
        agent=asking(Asks, came),
    )
    check(call)
    assert came in ([], ["zeze"], ["zizi"])
