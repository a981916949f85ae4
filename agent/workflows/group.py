"""Tasks one after another, with a way back to an earlier one."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from livekit.agents import NOT_GIVEN, NotGivenOr, llm

from antiphon.function_tools import function_tool
from antiphon.pipeline.errors import NodeTimeout
from antiphon.pipeline.streams import Scope
from antiphon.task import AgentTask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger("antiphon.workflows")

SUMMARY_LIMIT: Final = 30.0  # seconds that the model may take to sum up
OUT_OF_SCOPE: Final = "out_of_scope"
BACK: Final = (
    "Call this when the user wants to change what an earlier step has asked for, with the ids of "
    "those steps, in the order in which the user names them. The steps: "
)
SUMMARISE: Final = (
    "Summarise a part of a conversation for the agent that goes on with it: what the user wants, "
    "what was decided, every fact, name and number that came up, and what is still open. Leave "
    "greetings and the tools themselves out. Be brief, and add nothing."
)


@dataclass
class TaskGroupResult:
    """What each task came to, by its id."""

    task_results: dict[str, Any]


@dataclass
class TaskCompletedEvent:
    """A task of the group, by its id, and what it came to."""

    agent_task: AgentTask[Any]
    task_id: str
    result: Any


@dataclass(frozen=True, slots=True)
class Step:
    """How a task of the group is made, and what it is for."""

    make: Callable[[], AgentTask[Any]]
    about: str


class GoBack(llm.ToolError):
    """The user wants to change what earlier steps have asked for."""

    def __init__(self, steps: list[str]) -> None:
        super().__init__("the user goes back to an earlier step")
        self.steps = steps


class TaskGroup(AgentTask[TaskGroupResult]):
    """Runs tasks in the order in which they were added, each with what was said so far.

    `return_exceptions` puts a task's exception among the results, otherwise it ends the group.
    `summarize_chat_ctx` leaves one message of what was said to the agent that waited; when the
    model cannot summarise, all of it.
    """

    _answers_user = False  # what is said between two tasks is for the next one

    def __init__(
        self,
        *,
        summarize_chat_ctx: bool = True,
        return_exceptions: bool = False,
        chat_ctx: NotGivenOr[llm.ChatContext] = NOT_GIVEN,
        on_task_completed: Callable[[TaskCompletedEvent], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(instructions="Go through the steps.", chat_ctx=chat_ctx)
        self._summarise = summarize_chat_ctx
        self._return_exceptions = return_exceptions
        self._on_task_completed = on_task_completed
        self._steps: dict[str, Step] = {}
        self._visited: list[str] = []

    def add(self, task_factory: Callable[[], AgentTask[Any]], *, id: str, description: str) -> Self:
        """Add a step: `task_factory` makes a new task each time it is gone through; the
        `description` tells the model when to come back to it."""
        self._steps[id] = Step(task_factory, description)
        return self

    async def on_enter(self) -> None:
        waiting, results = list(self._steps), dict[str, Any]()
        while waiting and not self.done():
            step = waiting.pop(0)
            try:
                results[step] = await self._go_through(step)
            except GoBack as back:
                waiting[:0] = [*back.steps, step]
            except Exception as error:  # a task's own, or its callback's
                if not self._return_exceptions:
                    raise
                results[step] = error
        if self.done():
            return
        if self._summarise:
            await self._sum_up()
        self.complete(TaskGroupResult(results))

    async def _go_through(self, step: str) -> Any:
        task = self._steps[step].make()
        blank = task.tools or not task.chat_ctx.items
        await task.update_tools([*task.tools, *self._way_back(task, step)])
        if blank:
            await task.update_chat_ctx(self._chat_ctx)
        if step not in self._visited:
            self._visited.append(step)
        try:
            result = await task
        finally:
            self._chat_ctx.merge(task._chat_ctx, exclude_instructions=True)  # its calls too
        if self._on_task_completed is not None:
            await self._on_task_completed(TaskCompletedEvent(task, step, result))
        return result

    def _way_back(self, task: AgentTask[Any], step: str) -> list[llm.Tool]:
        """A tool that ends `task` and goes back, once there is a step to go back to."""
        earlier = {name: self._steps[name].about for name in self._visited if name != step}
        if not earlier:
            return []
        schema = {
            "name": OUT_OF_SCOPE,
            "description": BACK + json.dumps(earlier, ensure_ascii=False),
            "parameters": {
                "type": "object",
                "properties": {
                    "task_ids": {
                        "type": "array",
                        "items": {"type": "string", "enum": list(earlier)},
                        "description": "The ids of the steps to go back to.",
                    }
                },
                "required": ["task_ids"],
            },
        }

        @function_tool(raw_schema=schema, flags=llm.ToolFlag.IGNORE_ON_ENTER)
        async def out_of_scope(raw_arguments: dict[str, Any]) -> None:
            wanted = raw_arguments.get("task_ids") or []
            unknown = [name for name in wanted if name not in earlier]
            if unknown or not wanted:
                known = ", ".join(earlier)
                raise llm.ToolError(f"no earlier step {unknown}: task_ids are of {known}")
            if not task.done():
                task.complete(GoBack(list(wanted)))

        return [out_of_scope]

    async def _sum_up(self) -> None:
        """Put one message in the place of what was said in the group."""
        told = [item for item in self._chat_ctx.items if _told(item)]
        if not told or not isinstance(self.llm, llm.LLM):
            return
        asked = llm.ChatContext.empty()
        asked.add_message(role="system", content=SUMMARISE)
        asked.add_message(role="user", content="\n".join(map(_line, told)))
        async with Scope("summary") as scope:
            asking = scope.start("model", _answer(self.llm, asked))
            done, _ = await asyncio.wait([asking], timeout=SUMMARY_LIMIT)
            summary = asking.result() if done else NodeTimeout.after("the model", SUMMARY_LIMIT)
        if isinstance(summary, Exception):
            logger.warning("no summary of %s: %s; all of it is kept", self.id, summary)
        elif summary:
            known = {item.id for item in told}
            kept = [item for item in self._chat_ctx.items if item.id not in known]
            message = llm.ChatMessage(
                role="assistant",
                content=[f"<chat_history_summary>\n{summary}\n</chat_history_summary>"],
                created_at=told[-1].created_at,
                extra={"is_summary": True},
            )
            self._chat_ctx = llm.ChatContext(kept)
            self._chat_ctx.insert(message)


async def _answer(model: llm.LLM[Any], asked: llm.ChatContext) -> str | Exception:
    try:
        return (await model.chat(chat_ctx=asked).collect()).text.strip()
    except Exception as error:
        return error


def _told(item: llm.ChatItem) -> bool:
    """It says something that a summary should hold; a summary is not summed up again."""
    if isinstance(item, llm.ChatMessage):
        said = item.role in ("user", "assistant") and bool((item.text_content or "").strip())
        return said and not item.extra.get("is_summary")
    return isinstance(item, llm.FunctionCall | llm.FunctionCallOutput)


def _line(item: llm.ChatItem) -> str:
    if isinstance(item, llm.ChatMessage):
        return f"{item.role}: {item.text_content}"
    if isinstance(item, llm.FunctionCall):
        return f"the agent called {item.name} with {item.arguments}"
    return f"which gave: {item.output}" if isinstance(item, llm.FunctionCallOutput) else ""
