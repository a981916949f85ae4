"""Handoffs and tasks: one agent is in charge at a time, nothing said is lost, nothing wedges."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import Agent, AgentTask, RunContext, ToolError, function_tool
from antiphon import llm as llms
from tests.scripted import Call, at, check, hold, sentence, user
from tests.scripted_tools import Caller, calls, story

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ONE, TWO, THREE, FOUR = (sentence(first) for first in (0, 10, 20, 30))


class Second(Caller):
    """Another agent, which greets and leaves a trace."""

    def __init__(self, call: Call, steps: Sequence[Any], greeting: str | None = None) -> None:
        super().__init__(call, steps)
        self.greeting = greeting
        self.seen: list[str] = []

    async def on_enter(self) -> None:
        self.seen.append("enter")
        if self.greeting is not None:
            await self.session.say(self.greeting)

    async def on_exit(self) -> None:
        self.seen.append("exit")


def first(*steps: Sequence[Any], tools: Sequence[Any] = ()) -> Callable[[Call], Agent]:
    return lambda call: Caller(call, steps, tools)


def test_a_tool_that_returns_an_agent_hands_over_to_it() -> None:
    call = Call()

    @function_tool
    async def transfer() -> Agent:
        """Transfer."""
        return Second(call, [[THREE]], greeting=TWO)

    hold(
        user(0.2, 0.8, "zaza"),
        user(6.0, 6.6, "zeze"),
        agent=first([ONE, calls("transfer")], tools=[transfer]),
        call=call,
    )
    check(call)
    assert story(call) == [
        *("user: zaza", f"assistant: {ONE}", "call: transfer {}", "output: "),
        *("handoff: caller to second", f"assistant: {TWO}", "user: zeze", f"assistant: {THREE}"),
    ]
    assert call.session.timeline.records  # the record goes on


def test_with_a_result_the_old_agent_answers_before_it_hands_over() -> None:
    call = Call()

    @function_tool
    async def transfer() -> tuple[Agent, str]:
        """Transfer."""
        return Second(call, [[FOUR]], greeting=THREE), "transferring"

    hold(
        user(0.2, 0.8, "zaza"),
        agent=first([ONE, calls("transfer")], [TWO], tools=[transfer]),
        call=call,
    )
    check(call)
    assert [line for line in story(call) if line.startswith(("assistant", "handoff"))] == [
        *(f"assistant: {ONE}", f"assistant: {TWO}", "handoff: caller to second"),
        f"assistant: {THREE}",
    ]
    assert call.agent.requests[1].choice == "none"  # type: ignore[attr-defined]


def test_the_new_agent_starts_with_its_own_history_and_the_session_keeps_all() -> None:
    call = Call()
    second = []

    @function_tool
    async def transfer() -> Agent:
        """Transfer."""
        second.append(Second(call, [[THREE]], greeting=TWO))
        return second[0]

    hold(user(0.2, 0.8, "zaza"), agent=first([calls("transfer")], tools=[transfer]), call=call)
    check(call)
    known = second[0].chat_ctx.items
    assert [item.type for item in known] == ["message", "agent_config_update", "message"]
    assert second[0].seen == ["enter", "exit"]


def test_two_agents_from_one_step_are_told_to_the_model_and_nobody_takes_over() -> None:
    call = Call()

    @function_tool
    async def one() -> Agent:
        """One."""
        return Second(call, [])

    @function_tool
    async def other() -> Agent:
        """Other."""
        return Second(call, [])

    hold(
        user(0.2, 0.8, "zaza"),
        agent=first([calls("one"), calls("other")], [TWO], tools=[one, other]),
        call=call,
    )
    outputs = [line for line in story(call) if line.startswith("output")]
    assert len(outputs) == 2
    assert all("more than one agent" in line for line in outputs)
    assert not [line for line in story(call) if line.startswith("handoff")]


def test_update_agent_waits_until_the_old_one_has_said_what_it_is_saying() -> None:
    call = Call()

    def take_over(call: Call) -> None:
        call.session.update_agent(Second(call, [[FOUR]], greeting=TWO))

    hold(user(0.2, 0.8, "zaza"), at(1.6, take_over), agent=first([ONE]), call=call)
    check(call)
    assert story(call) == [
        *("user: zaza", f"assistant: {ONE}", "handoff: caller to second", f"assistant: {TWO}")
    ]


def test_update_agent_inside_a_tool_does_not_deadlock() -> None:
    call = Call()

    @function_tool
    async def transfer(context: RunContext[Any]) -> str:
        """Transfer."""
        context.session.update_agent(Second(call, [[FOUR]], greeting=THREE))
        await asyncio.sleep(1.0)
        return "soon"

    hold(
        user(0.2, 0.8, "zaza"),
        agent=first([ONE, calls("transfer")], [TWO], tools=[transfer]),
        call=call,
    )
    check(call)
    assert [line for line in story(call) if line.startswith(("assistant", "handoff"))] == [
        *(f"assistant: {ONE}", f"assistant: {TWO}", "handoff: caller to second"),
        f"assistant: {THREE}",
    ]


def test_what_the_user_says_during_a_handoff_is_answered_by_the_new_agent() -> None:
    call = Call()

    def take_over(call: Call) -> None:
        call.session.update_agent(Second(call, [[FOUR], [FOUR]]))

    hold(
        user(0.2, 0.8, "zaza"),
        at(1.35, take_over),
        user(1.5, 2.1, "zeze"),
        agent=first([ONE], [TWO]),
        call=call,
    )
    check(call)
    told = story(call)
    assert told[-1] == f"assistant: {FOUR}"
    assert "user: zeze" in told


# Tasks.


class Asks(AgentTask[str]):
    """Asks a question, and is done with the first answer."""

    def __init__(self, call: Call, question: str = TWO) -> None:
        super().__init__(instructions="Ask.")
        self.call, self.question = call, question
        self.voice = call.voice

    async def on_enter(self) -> None:
        await self.session.say(self.question)

    async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
        self.complete(new_message.text_content)
        raise llms.StopResponse

    stt_node = Caller.stt_node
    tts_node = Caller.tts_node

    @property
    def caller(self) -> Any:
        return self.call.caller


def test_a_task_awaited_in_a_tool_holds_the_conversation_and_gives_its_result() -> None:
    call = Call()

    @function_tool
    async def name() -> str:
        """Ask for the name."""
        return "the name is " + await Asks(call)

    hold(
        user(0.2, 0.8, "zaza"),
        user(6.0, 6.6, "zeze"),
        agent=first([ONE, calls("name")], [THREE], tools=[name]),
        call=call,
    )
    check(call)
    assert story(call) == [
        *("user: zaza", f"assistant: {ONE}", "call: name {}", "handoff: caller to asks"),
        *(f"assistant: {TWO}", "user: zeze", "handoff: asks to caller"),
        *("output: the name is zeze", f"assistant: {THREE}"),
    ]
    last = call.agent.requests[1].context  # type: ignore[attr-defined]
    texts = [m.text_content for m in last.messages()]
    assert texts == ["Answer.", "zaza", ONE, TWO, "zeze"]


def test_a_task_that_fails_raises_where_it_is_awaited() -> None:
    call = Call()

    class Fails(Asks):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            self.complete(ToolError("not today"))
            raise llms.StopResponse

    @function_tool
    async def name() -> str:
        """Ask for the name."""
        return await Fails(call)

    hold(
        user(0.2, 0.8, "zaza"),
        user(6.0, 6.6, "zeze"),
        agent=first([ONE, calls("name")], [THREE], tools=[name]),
        call=call,
    )
    check(call)
    assert "output: not today (error)" in story(call)


def test_two_tasks_of_one_step_hold_the_conversation_one_after_the_other() -> None:
    call = Call()

    @function_tool
    async def name() -> str:
        """Ask for the name."""
        return await Asks(call, TWO)

    @function_tool
    async def town() -> str:
        """Ask for the town."""
        return await Asks(call, THREE)

    hold(
        user(0.2, 0.8, "zaza"),
        user(6.0, 6.6, "zeze"),
        user(12.0, 12.6, "zizi"),
        agent=first([calls("name"), calls("town")], [FOUR], tools=[name, town]),
        call=call,
    )
    check(call)
    assert [line for line in story(call) if line.startswith(("output", "handoff"))] == [
        *("handoff: caller to asks", "handoff: asks to caller"),
        *("handoff: caller to asks", "handoff: asks to caller"),
        *("output: zeze", "output: zizi"),
    ]


def test_a_task_in_a_task_in_a_tool_comes_back_step_by_step() -> None:
    call = Call()

    class Outer(Asks):
        async def on_enter(self) -> None:
            self.complete("outer and " + await Asks(call, TWO))

    @function_tool
    async def name() -> str:
        """Ask for the name."""
        return await Outer(call)

    hold(
        user(0.2, 0.8, "zaza"),
        user(6.0, 6.6, "zeze"),
        agent=first([calls("name")], [THREE], tools=[name]),
        call=call,
    )
    check(call)
    assert "output: outer and zeze" in story(call)
    assert story(call)[-1] == f"assistant: {THREE}"


def test_a_session_that_closes_while_a_task_is_awaited_leaves_nothing_behind() -> None:
    call = Call()

    @function_tool
    async def name() -> str:
        """Ask for the name."""
        return await Asks(call)

    hold(
        user(0.2, 0.8, "zaza"),
        agent=first([ONE, calls("name")], tools=[name]),
        call=call,
        until=5.0,
    )
    check(call)
    assert "output: AgentTask asks is cancelled: the session closed (error)" in story(call)
    assert call.ended == 5.0  # nobody waits for a task that cannot end


def test_a_task_awaited_where_nothing_waits_for_it_is_refused() -> None:
    call = Call()
    errors = []

    async def misuse() -> None:
        with pytest.raises(Exception, match="in a tool, or in on_enter or on_exit"):
            await Asks(call)
        errors.append("refused")

    hold(
        at(0.1, lambda call: call.session.conversation.speaking._scope.start("misuse", misuse())),
        agent=first(),
        call=call,
    )
    assert errors == ["refused"]
