"""Running the tools that a model calls.

A call runs in the session's scope and not in its reply's: a barge-in does not stop what has begun,
and what a tool did is in history whether its reply lives or not. Every call is answered exactly
once; a step's calls and outputs enter both histories together, in the order of the calls, when the
last of them is answered. Until then a prompt shows a running call as being in progress.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, Final, cast

from livekit.agents import NOT_GIVEN, NotGivenOr, llm

from antiphon.context import CALL, INSIDE, Inside, RunContext
from antiphon.outcomes import Outcome, outcome_of, refused
from antiphon.pipeline.reply import SPEAKING
from antiphon.steps import StepWork

if TYPE_CHECKING:
    from antiphon.conversation import Conversation
    from antiphon.pipeline.reply import Reply
    from antiphon.pipeline.step import Step
    from antiphon.pipeline.streams import Scope
    from antiphon.session import AgentSession
    from antiphon.speech import SpeechHandle

logger = logging.getLogger("antiphon.tools")

IN_PROGRESS: Final = "The tool call is still in progress; its result is not known yet."
CLOSED: Final = "The session closed before this tool was done."
LAST_LIMIT: Final = 5.0  # seconds that running tools may hold up the end of a session
RUNNING: Final = "_running"  # ends the ids of such items: they are in prompts, never in a history


class Running:
    """One call that runs, or has run. Mutable state: its task."""

    def __init__(self, work: StepWork, call: llm.FunctionCall, tool: Tool) -> None:
        self.work = work
        self.call = call
        self.tool = tool
        self.task: asyncio.Task[object] | None = None

    @property
    def cancellable(self) -> bool:
        return llm.ToolFlag.CANCELLABLE in self.tool.info.flags

    @property
    def session(self) -> AgentSession[Any]:
        return self.work.conversation.session

    @property
    def handle(self) -> SpeechHandle:
        return self.work.handle

    @property
    def step(self) -> Step:
        return self.work.step


Tool = llm.FunctionTool[Any, Any] | llm.RawFunctionTool[Any, Any]


class Toolbox:
    """The session's tools. Mutable state: the calls that run, whether a model was ever told of one
    that did, and what was offered last."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._scope = scope
        self._running: dict[str, Running] = {}
        self._told = False
        self._offered: tuple[list[llm.Tool | llm.Toolset], llm.ToolContext] | None = None

    def offered(self, names: NotGivenOr[list[str]] = NOT_GIVEN) -> llm.ToolContext:
        """What a reply may call: the agent's tools and the session's, or only those named.

        In `on_enter` the tools flagged IGNORE_ON_ENTER are left out.
        """
        talk, inside = self._conversation, INSIDE.get()
        tools = self._context([*talk.session.tools, *talk.agent.tools])
        entering = inside is not None and inside.entering
        if names is NOT_GIVEN and not entering:
            return tools
        wanted = [
            t for t in tools.flatten() if names is NOT_GIVEN or t.id in cast("list[str]", names)
        ]
        return llm.ToolContext([t for t in wanted if not (entering and _ignored_on_enter(t))])

    def _context(self, tools: list[llm.Tool | llm.Toolset]) -> llm.ToolContext:
        """The same as last time for the same tools: making one costs 50 µs a turn."""
        if self._offered is None or self._offered[0] != tools:
            context = llm.ToolContext(tools)
            if context.toolsets:  # what is in them may change
                return context
            self._offered = tools, context
        return self._offered[1]

    def work(self, reply: Reply, step: Step) -> StepWork:
        """For the calls of one step."""
        return StepWork(self._conversation, reply, step)

    def prompt(self, context: llm.ChatContext) -> llm.ChatContext:
        """`context` as a model is to see it: calls that have no answer yet are in progress."""
        if not (self._told or self._running):
            return context  # nothing in it is in progress: a long history is not searched
        self._told = True
        context.items[:] = [item for item in context.items if not item.id.endswith(RUNNING)]
        known = {item.call_id for item in context.items if item.type == "function_call"}
        for call in (running.call for running in self._running.values()):
            if call.call_id not in known:
                output = llm.FunctionCallOutput(
                    id=f"{call.id}_output{RUNNING}",
                    call_id=call.call_id,
                    name=call.name,
                    output=IN_PROGRESS,
                    is_error=False,
                    created_at=call.created_at,
                )
                context.insert([call.model_copy(update={"id": f"{call.id}{RUNNING}"}), output])
        return context

    def start(self, work: StepWork, call: llm.FunctionCall, tools: llm.ToolContext) -> None:
        """Begin a call; its outcome goes to `work`, at once where it cannot run."""
        tool = tools.get_function_tool(call.name)
        if tool is None:
            known = ", ".join(tools.function_tools) or "none"
            logger.warning("the model called %s, which is no tool of this agent", call.name)
            work.answer(refused(call, f"Unknown function: {call.name} - available tools: {known}"))
            return
        try:
            arguments = llm.utils.parse_function_arguments(call.arguments or "{}")
        except ValueError as error:
            why = f"Error parsing arguments for `{call.name}`: {error}"
            work.answer(refused(call, why))
            return
        call.arguments = json.dumps(arguments, default=str)  # what was repaired stays so
        self._conversation.mark("tool_started", work.reply, name=call.name, call=call.call_id)
        running = Running(work, call, tool)
        self._running[call.call_id] = running
        running.task = self._scope.start(f"tool {call.name}", _perform(running, arguments))
        running.task.add_done_callback(lambda task: self._ended(running, task))

    @property
    def ids(self) -> set[str]:
        """Of the calls that run."""
        return set(self._running)

    def cancel(self, work: StepWork) -> None:
        """Stop the calls of a reply that was only a guess."""
        for running in list(self._running.values()):
            if running.work is work and running.task is not None:
                running.task.cancel()

    async def finish(self) -> None:
        """The session closes: stop what may be stopped, and let the rest end, for a while."""
        for running in list(self._running.values()):
            if running.task is not None and running.cancellable:
                running.task.cancel()
        tasks = [running.task for running in self._running.values() if running.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_LIMIT)

    def abandon(self) -> None:
        """The session has closed: what would not stop is answered as that."""
        for running in list(self._running.values()):
            self._running.pop(running.call.call_id)
            running.work.answer(refused(running.call, CLOSED, reply=False))

    def _ended(self, running: Running, task: asyncio.Task[object]) -> None:
        if self._running.pop(running.call.call_id, None) is None:
            return  # answered already, when the session closed
        if task.cancelled():
            outcome = refused(running.call, "the tool call was cancelled", reply=False)
        elif error := task.exception():
            outcome = outcome_of(running.call, error)
        else:
            outcome = outcome_of(running.call, task.result())
        self._report(running, outcome)
        running.work.answer(outcome)

    def _report(self, running: Running, outcome: Outcome) -> None:
        call, failed = running.call, outcome.output.is_error
        error = outcome.output.output if failed else None
        self._conversation.mark(
            "tool_ended", running.work.reply, name=call.name, call=call.call_id, error=error
        )


def _ignored_on_enter(tool: llm.Tool) -> bool:
    flags = tool.info.flags if isinstance(tool, llm.FunctionTool | llm.RawFunctionTool) else None
    return flags is not None and llm.ToolFlag.IGNORE_ON_ENTER in flags


async def _perform(running: Running, arguments: dict[str, Any]) -> object:
    """Run a tool in a task of its own; what it raises is its result."""
    context: RunContext[Any] = RunContext(running)
    CALL.set(context)
    SPEAKING.set(running.work.reply)  # a draft's calls begin in the task that confirms it
    INSIDE.set(Inside(running.work.conversation, running.work.source.voice.agent))
    try:
        args, kwargs = llm.utils.prepare_function_arguments(
            fnc=running.tool, json_arguments=arguments, call_ctx=context
        )
        return await running.tool(*args, **kwargs)
    except Exception as error:
        if not isinstance(error, llm.ToolError | llm.StopResponse):
            logger.exception("the tool %s failed", running.call.name)
        return error
