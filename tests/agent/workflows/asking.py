"""A call in which a tool awaits a ready-made task, whose model is scripted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon import AgentTask, ToolError, function_tool
from tests.scripted import Call, check, hold, sentence, user
from tests.scripted_tools import Caller, calls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.scripted import Act

BEFORE, AFTER = sentence(500), sentence(510)
TURNS = ("zaza", "zeze", "zizi", "zozo", "zuzu")


def scripted(task: AgentTask[Any], call: Call, steps: Sequence[Sequence[Any]]) -> AgentTask[Any]:
    """The task with the test's voice, ears, and model."""
    mind = Caller(call, steps)

    class Scripted(type(task)):  # type: ignore[misc]
        stt_node = mind.stt_node
        llm_node = mind.llm_node
        tts_node = mind.tts_node

    task.__class__ = Scripted
    task.mind = mind  # type: ignore[attr-defined]
    return task


def ask(
    make: Callable[[Call], AgentTask[Any]],
    said: Sequence[str] = TURNS[:2],
    *more: list[Act],
    **options: Any,
) -> tuple[Call, list[Any]]:
    """The caller says each of `said`, six seconds apart; the first makes the agent start the task.
    There may be `more` acts.

    Returns the call and what came of the task.
    """
    call, came = Call(), list[Any]()

    @function_tool
    async def start() -> str:
        """Start."""
        try:
            came.append(await make(call))
        except ToolError as error:
            came.append(error)
        return "done"

    turns = [user(0.2 + 6 * n, 0.8 + 6 * n, text) for n, text in enumerate(said)]
    steps: list[Sequence[Any]] = [[BEFORE, calls("start")], [AFTER]]
    hold(*turns, *more, agent=lambda c: Caller(c, steps, [start]), call=call, **options)
    return call, came


__all__ = ["AFTER", "BEFORE", "TURNS", "ask", "calls", "check", "scripted", "sentence"]
