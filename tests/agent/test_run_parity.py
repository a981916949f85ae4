"""The same small agents, run by LiveKit's session and by ours: the same events, in the same order.

LiveKit's runs in real time, with a model that takes none; ours on the virtual clock.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import agents as livekit

import antiphon
from antiphon.pipeline import clock
from antiphon.simulate import ScriptedLLM, calls
from tests.run_programs import (
    HELLO,
    NAME,
    NAMED,
    PROGRAMS,
    SOUP,
    Kit,
    one_tool,
    task_before_leaving,
    task_in_a_task,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine


def told(result: Any) -> list[str]:
    """A run in short."""
    lines = []
    for event in result.events:
        if event.type == "message":
            cut = " (interrupted)" if event.item.interrupted else ""
            lines.append(f"{event.item.role}: {event.item.text_content.strip()}{cut}")
        elif event.type == "function_call":
            lines.append(f"call {event.item.name} {event.item.arguments}")
        elif event.type == "function_call_output":
            lines.append(f"output {event.item.output!r} error={event.item.is_error}")
        else:
            old = event.old_agent and type(event.old_agent).__name__
            lines.append(f"handoff {old} to {type(event.new_agent).__name__}")
    return lines


async def outcome(result: Any, lines: list[str]) -> None:
    try:
        run = await result
        lines += told(run)
        try:
            lines.append(f"gave {run.final_output!r}")
        except RuntimeError:
            lines.append("gave nothing")
    except Exception as error:
        kinds = livekit.UnexpectedModelBehavior | livekit.ToolError
        lines += told(result) if hasattr(result, "events") else []
        lines.append(f"raised {type(error).__name__ if isinstance(error, kinds) else error}")


def steps(kit: Kit, program: Any) -> Coroutine[Any, Any, list[str]]:
    """Run one program; what came of it, turn by turn."""
    agent, replies, turns = program

    async def whole() -> list[str]:
        model = ScriptedLLM(replies, first_token=0.0, tokens_per_second=float("inf"))
        lines: list[str] = []
        async with kit.AgentSession(llm=model, vad=None) as session:
            first, *rest = turns
            if first.text is None:
                await outcome(session.start(agent(kit), capture_run=True), lines)
            else:
                rest = turns
                await session.start(agent(kit))
            for turn in rest:
                lines.append(f"user: {turn.text}")
                await outcome(session.run(user_input=turn.text, **turn.options), lines)
        return lines

    return whole()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_run_gives_what_it_gives_in_livekit(name: str) -> None:
    theirs = asyncio.run(steps(livekit, PROGRAMS[name]))
    ours = clock.run(steps(antiphon, PROGRAMS[name]), strict=True)
    assert ours == theirs
    assert theirs


def test_a_call_of_a_tool_that_is_not_there_is_seen_beside_its_output() -> None:
    program = one_tool, [calls("prize"), "Sorry."], [SOUP]
    theirs = asyncio.run(steps(livekit, program))
    ours = clock.run(steps(antiphon, program), strict=True)
    ours.remove("call prize {}")  # LiveKit tells of the output alone
    assert ours == theirs


def test_a_run_in_a_task_of_a_task_goes_on_until_everything_has_been_said() -> None:
    program = task_in_a_task, [calls("book"), NAMED, "Done."], [HELLO, NAME]
    theirs = asyncio.run(steps(livekit, program))
    ours = clock.run(steps(antiphon, program), strict=True)
    assert theirs[-1] == "gave 'Ada'"  # LiveKit's ends with the inner task
    assert ours == [
        *theirs[:-1],
        "handoff Outer to Waiter",
        "output 'booked for someone like Ada' error=False",
        "assistant: Done.",
        "gave nothing",
    ]


def test_a_run_ends_where_a_task_before_leaving_waits_for_the_user() -> None:
    program = task_before_leaving, [calls("manager"), NAMED], [HELLO, NAME]
    assert clock.run(steps(antiphon, program), strict=True) == [
        "user: Hello",
        "call manager {}",
        "output '' error=False",
        "handoff Waiter to GetName",
        "assistant: What is your name?",
        "gave nothing",
        "user: Ada",
        'call named {"name": "Ada"}',
        "output '' error=False",
        "handoff GetName to Waiter",
        "assistant: Bye, Ada.",
        "handoff Waiter to Manager",
        "assistant: The manager here.",
        "gave nothing",
    ]
