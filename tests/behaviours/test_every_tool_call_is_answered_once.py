"""Tools: each call is answered exactly once, in order, in both histories, whatever happens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import RunContext, StopResponse, ToolError, function_tool
from antiphon import llm as llms
from tests.scripted import Call, at, check, hold, sentence, user
from tests.scripted_tools import Caller, calls, story

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from antiphon import Agent
    from tests.scripted_tools import Part

ONE, TWO, THREE = sentence(0), sentence(10), sentence(20)


@function_tool
async def weather(city: str) -> str:
    """The weather.

    Args:
        city: where
    """
    await asyncio.sleep(1.0)
    return f"rain in {city}"


@function_tool
async def broken() -> str:
    """Fails."""
    raise OSError("the secret of the database")


@function_tool
async def refuses() -> str:
    """Says no."""
    raise ToolError("not on Sundays")


@function_tool
async def silent() -> str:
    """Wants no reply."""
    raise StopResponse


TOOLS: list[Any] = [weather, broken, refuses, silent]


def agent(*steps: Sequence[Part], tools: Sequence[Any] = TOOLS) -> Callable[[Call], Agent]:
    return lambda call: Caller(call, steps, tools)


def test_a_tool_is_run_while_its_preamble_is_spoken_and_its_result_is_answered() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([ONE, calls("weather", city="Rome")], [TWO]))
    check(call)
    assert story(call) == [
        "user: zaza",
        f"assistant: {ONE}",
        'call: weather {"city": "Rome"}',
        "output: rain in Rome",
        f"assistant: {TWO}",
    ]
    [start] = call.records("tool_started")
    assert start.t < call.records("gone")[0].t


def test_both_histories_hold_the_call_and_its_output() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("weather", city="Rome")], [TWO]))
    own = [item.type for item in call.agent.chat_ctx.items]
    said = ["message", "function_call", "function_call_output", "message"]
    assert own == ["message", "agent_config_update", *said]  # its instructions come first
    shared = [item.type for item in call.session.history.items]
    assert shared == ["agent_handoff", "agent_config_update", *said]


def test_the_words_and_the_calls_of_one_step_are_one_message_to_the_provider() -> None:
    two: list[Part] = [ONE, calls("weather", "a", city="Rome"), calls("weather", "b", city="Oslo")]
    call = hold(user(0.2, 0.8, "zaza"), agent=agent(two, [TWO]))
    check(call)
    context = call.agent.requests[1].context  # type: ignore[attr-defined]
    sent, _ = context.to_provider_format("openai")
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool", "tool"]
    assert [wanted["id"] for wanted in sent[2]["tool_calls"]] == ["a", "b"]
    assert sent[2]["content"] == ONE


def test_calls_of_one_step_run_side_by_side_and_are_answered_in_their_order() -> None:
    @function_tool
    async def slow() -> str:
        """Slow."""
        await asyncio.sleep(3.0)
        return "slow"

    @function_tool
    async def fast() -> str:
        """Fast."""
        await asyncio.sleep(1.0)
        return "fast"

    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=agent([calls("slow"), calls("fast")], [TWO], tools=[slow, fast]),
    )
    check(call)
    assert story(call)[1:5] == ["call: slow {}", "call: fast {}", "output: slow", "output: fast"]
    started = [record.t for record in call.records("tool_started")]
    [ended] = call.records("tools_ended")
    assert started[0] == started[1]
    assert ended.t == pytest.approx(started[0] + 3.0, abs=1e-9)


@pytest.mark.parametrize(
    ("wanted", "output"),
    [
        (calls("broken"), "An internal error occurred (error)"),
        (calls("refuses"), "not on Sundays (error)"),
        (
            calls("dance"),
            "Unknown function: dance - available tools: weather, broken, refuses, silent (error)",
        ),
        (llms.FunctionToolCall(name="weather", arguments="rain?", call_id="c"), None),
        (llms.FunctionToolCall(name="weather", arguments="[1]", call_id="c"), None),
        (calls("weather", town="Rome"), None),
    ],
)
def test_what_cannot_be_run_is_answered_and_the_model_goes_on(
    wanted: llms.FunctionToolCall, output: str | None
) -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([wanted], [TWO]))
    assert call.text("assistant") == call.heard == TWO.split()
    outputs = [line for line in story(call) if line.startswith("output")]
    assert len(outputs) == 1
    assert output is None or outputs == [f"output: {output}"]
    assert outputs[0].endswith("(error)")
    assert "secret" not in outputs[0]


def test_a_result_that_cannot_be_serialised_is_answered_as_an_error() -> None:
    @function_tool
    async def odd() -> object:
        """Odd."""
        return object()

    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("odd")], [TWO], tools=[odd]))
    assert call.heard == TWO.split()
    assert "output: the tool returned an invalid output (error)" in story(call)


def test_arguments_that_can_be_repaired_are() -> None:
    wanted = llms.FunctionToolCall(name="weather", arguments="{'city': 'Rome',}", call_id="c")
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([wanted], [TWO]))
    check(call)
    assert story(call)[1:3] == ['call: weather {"city": "Rome"}', "output: rain in Rome"]


def test_stop_response_is_a_result_without_a_reply() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=agent([ONE, calls("silent")]))
    check(call)
    assert story(call) == ["user: zaza", f"assistant: {ONE}", "call: silent {}", "output: "]
    assert call.reported("agent_state_changed")[-1].new_state == "listening"


def test_after_the_last_tool_step_the_model_must_answer() -> None:
    steps = [[calls("weather", city=str(n))] for n in range(3)]
    call = hold(user(0.2, 0.8, "zaza"), agent=agent(*steps, [THREE]), max_tool_steps=2)
    check(call)
    requests = call.agent.requests  # type: ignore[attr-defined]
    assert [request.choice == "none" for request in requests] == [False, False, False, True]


def test_results_of_tools_survive_a_barge_in_and_nothing_more_is_said() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(2.0, 2.6, "zeze"),
        agent=agent([calls("weather", city="Rome")], [TWO], [THREE]),
    )
    check(call)
    assert "output: rain in Rome" in story(call)


def test_a_turn_while_tools_run_is_answered_instead_and_the_result_is_kept() -> None:
    @function_tool
    async def long() -> str:
        """Takes its time."""
        await asyncio.sleep(8.0)
        return "found"

    call = hold(
        user(0.2, 0.8, "zaza"),
        user(3.0, 3.6, "zeze"),
        agent=agent([ONE, calls("long")], [TWO], tools=[long]),
    )
    check(call)
    assert story(call) == [
        *("user: zaza", f"assistant: {ONE}", "call: long {}"),
        *("user: zeze", f"assistant: {TWO}", "output: found"),
    ]
    second = call.agent.requests[1].context  # type: ignore[attr-defined]
    placeholders = [i for i in second.items if i.type == "function_call_output"]
    assert [item.output for item in placeholders] == [
        "The tool call is still in progress; its result is not known yet."
    ]


def test_waiting_for_ones_own_speech_inside_its_tool_raises_at_once() -> None:
    @function_tool
    async def waits(context: RunContext[Any]) -> str:
        """Waits for itself."""
        await context.speech_handle
        return "never"

    call = hold(user(0.2, 0.8, "zaza"), agent=agent([calls("waits")], [TWO], tools=[waits]))
    assert "output: An internal error occurred (error)" in story(call)
    assert call.heard == TWO.split()


def test_a_tool_waits_for_what_was_said_before_it() -> None:
    times: list[float] = []

    @function_tool
    async def after(context: RunContext[Any]) -> str:
        """Waits for the preamble."""
        await context.wait_for_playout()
        times.append(asyncio.get_running_loop().time())
        return "done"

    call = hold(user(0.2, 0.8, "zaza"), agent=agent([ONE, calls("after")], [TWO], tools=[after]))
    check(call)
    assert times == [call.records("gone")[0].t]


def test_a_tool_may_speak_and_wait_for_that() -> None:
    @function_tool
    async def talks(context: RunContext[Any]) -> str:
        """Talks."""
        await context.session.say(TWO)
        return "said"

    call = hold(user(0.2, 0.8, "zaza"), agent=agent([ONE, calls("talks")], [THREE], tools=[talks]))
    check(call)
    assert [line for line in story(call) if line.startswith("assistant")] == [
        f"assistant: {text}" for text in (ONE, TWO, THREE)
    ]


def test_the_event_tells_of_all_calls_and_may_cancel_the_reply() -> None:
    def listen(call: Call) -> None:
        call.session.on("function_tools_executed", seen)

    events = []

    def seen(event: Any) -> None:
        events.append(event)
        event.cancel_tool_reply()

    call = hold(
        at(0.1, listen),
        user(0.2, 0.8, "zaza"),
        agent=agent([calls("weather", city="Rome"), calls("refuses")]),
    )
    check(call)
    [event] = events
    assert [(a.name, b.output) for a, b in event.zipped()] == [
        ("weather", "rain in Rome"),
        ("refuses", "not on Sundays"),
    ]
    assert call.heard == []
