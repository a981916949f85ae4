"""What a judge reads in the history of how an agent was set up: the same as LiveKit writes there.

LiveKit's session runs in real time, with a model that takes none; ours on the virtual clock.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import agents as livekit

import antiphon
from antiphon import Agent, AgentSession, function_tool
from antiphon.pipeline import clock
from antiphon.simulate import Calls, ScriptedLLM, calls
from tests.run_programs import HELLO, PROGRAMS, SOUP, Kit, waiter

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from livekit.agents import llm


def changing(kit: Kit) -> Any:
    """An agent that tells itself something else, and takes a tool for another."""

    async def price(dish: str) -> str:
        return f"{dish} is 12"

    tool = kit.function_tool(price, name="price", description="price")

    async def change(context: kit.RunContext) -> str:
        agent = context.session.current_agent
        await agent.update_instructions("Serve quickly.")
        await agent.update_tools([tool])
        await agent.update_tools([tool])
        return "changed"

    return waiter(kit, change=change)


CHANGING = changing, [calls("change"), "Yes.", "It is 12."], [HELLO, SOUP]
NAMES = (
    *("a plain reply", "a tool", "a handoff", "a handoff to one who is silent"),
    *("a handoff with a result", "a task in a tool", "a task at the beginning", "a task alone"),
    *("two tasks in a tool", "update_agent in a tool"),
)


def lines(context: llm.ChatContext) -> list[str]:
    """A history in short, without the calls of tools, whose place is tested elsewhere, and without
    the instructions that LiveKit keeps in an agent's own."""
    found = []
    for item in context.items:
        if item.type == "agent_config_update":
            told, added, removed = item.instructions, item.tools_added, item.tools_removed
            found.append(f"config {told!r} +{sorted(added or [])} -{sorted(removed or [])}")
        elif item.type == "agent_handoff":
            found.append(f"handoff {item.old_agent_id} to {item.new_agent_id}")
        elif item.type == "message" and item.role != "system":
            found.append(f"{item.role}: {(item.text_content or '').strip()}")
    return found


def histories(kit: Kit, program: Any) -> Coroutine[Any, Any, list[list[str]]]:
    """Run one program; the history of the session, and that of the agent in charge at its end."""
    agent, replies, turns = program

    async def whole() -> list[list[str]]:
        model = ScriptedLLM(replies, first_token=0.01, tokens_per_second=float("inf"))
        async with kit.AgentSession(llm=model, vad=None) as session:
            rest = list(turns)
            if rest[0].text is None:
                await session.start(agent(kit), capture_run=True)
                del rest[0]
            else:
                await session.start(agent(kit))
            for turn in rest:
                await session.run(user_input=turn.text)
            return [lines(session.history), lines(session.current_agent.chat_ctx)]

    return whole()


@pytest.mark.parametrize("name", [*NAMES, "changing"])
def test_a_judge_reads_how_each_agent_was_set_up(name: str) -> None:
    program = CHANGING if name == "changing" else PROGRAMS[name]
    theirs = asyncio.run(histories(livekit, program))
    ours = clock.run(histories(antiphon, program), strict=True)
    assert ours == theirs
    assert any(line.startswith("config") for line in theirs[0])


@function_tool
async def weather() -> str:
    """The weather."""
    return "sunny"


@function_tool
async def traffic() -> str:
    """The traffic."""
    return "thick"


def called(context: llm.ChatContext) -> list[str]:
    return [item.name for item in context.items if item.type == "function_call"]


async def test_calls_of_a_tool_that_was_taken_away_are_not_shown_to_the_model_again() -> None:
    replies: list[str | Calls] = [calls("weather").and_calls("traffic"), "Well."]
    async with AgentSession(llm=ScriptedLLM(replies), vad=None, tools=[traffic]) as session:
        agent = Agent(instructions="", tools=[weather])
        await session.start(agent)
        await session.run(user_input="How is it?")
        assert called(agent.chat_ctx) == ["weather", "traffic"]
        await agent.update_tools([])
        assert called(agent.chat_ctx) == ["traffic"]  # the session's; LiveKit forgets it too
        assert called(session.history) == ["weather", "traffic"]


async def test_a_context_that_is_put_in_keeps_the_calls_of_the_sessions_tools() -> None:
    async with AgentSession(
        llm=ScriptedLLM([calls("traffic"), "Well."]), vad=None, tools=[traffic]
    ) as session:
        agent = Agent(instructions="")
        await session.start(agent)
        await session.run(user_input="How is it?")
        await agent.update_chat_ctx(agent.chat_ctx)
        assert called(agent.chat_ctx) == ["traffic"]
