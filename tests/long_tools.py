"""A tool that takes its time, and what a call shows of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from antiphon import RunContext, function_tool
from antiphon import llm as llms
from tests.scripted_tools import Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from antiphon import Agent
    from tests.scripted import Call
    from tests.scripted_tools import Asked, Part


@function_tool
async def search(context: RunContext[Any], reports: int = 1, seconds: float = 8.0) -> str:
    """Looks for flights.

    Args:
        reports: how often it says how far it is
        seconds: how long it takes
    """
    for number in range(reports):
        await context.update(f"step {number}")
        await asyncio.sleep(seconds / reports)
    return "found three"


def agent(*steps: Sequence[Part], tools: Sequence[Any] = (search,)) -> Callable[[Call], Agent]:
    return lambda call: Caller(call, steps, tools)


def requests(call: Call) -> list[Asked]:
    found: list[Asked] = call.agent.requests  # type: ignore[attr-defined]
    return found


def ids(call: Call) -> list[str]:
    items = call.session.history.items
    return [item.call_id for item in items if isinstance(item, llms.FunctionCallOutput)]


def told(call: Call) -> list[str]:
    """What was reported of tools, in short."""
    return [
        f"{event.update.type} {getattr(event.update, 'status', '')}".strip()
        for event in call.reported("tool_execution_updated")
    ]
