"""What tools cost, and whether a long conversation costs more a turn than a short one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit.agents import llm

import antiphon
from bench import rows
from bench.models import Pace, tokens
from bench.sessions import OurPlainAgent, Ours

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EARLY, LATE, WINDOW = 10, 1000, 40  # turns


class CallsFirst(OurPlainAgent):
    """Every answer is the second step: the first one calls a tool that takes no time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked = 0

    @antiphon.function_tool
    async def nothing(self) -> str:
        """Takes no time."""
        return "done"

    async def llm_node(  # type: ignore[override]
        self, chat_ctx: Any, tools: Any, model_settings: Any
    ) -> AsyncIterator[str | llm.ChatChunk]:
        self.asked += 1
        if self.asked % 2:
            call = llm.FunctionToolCall(
                name="nothing", arguments="{}", call_id=f"call_{self.asked}"
            )
            delta = llm.ChoiceDelta(role="assistant", tool_calls=[call])
            yield llm.ChatChunk(id="scripted", delta=delta)
            return
        self.said = 0
        async for token in tokens(self.pace):
            yield token


class WithTools(Ours):
    """Our session with an agent that calls a tool in every turn."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(pace, plain=True)
        self.agent = CallsFirst(instructions="x")
        self.agent.pace = pace


async def turns(number: int) -> list[float]:
    """Microseconds of work in each turn of one session, with models that take no time."""
    contestant = Ours(Pace(per_letter=0.006), plain=True)
    await contestant.start()
    await asyncio.sleep(0.1)
    found = []
    for _ in range(number):
        found.append(await rows.answered(contestant) * 1e6)
        await rows.quiet(contestant, 0.05)
    await contestant.close()
    return found


def typical(found: list[float]) -> float:
    """The tenth percentile: what a turn takes when nothing else has the processor."""
    return sorted(found)[len(found) // 10]
