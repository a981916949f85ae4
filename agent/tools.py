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
from typing import TYPE_CHECKING, Final, cast

from livekit.agents import NOT_GIVEN, NotGivenOr, ToolCallStarted, llm

from antiphon import cancelling, duplicates
from antiphon.background import Background
from antiphon.context import INSIDE
from antiphon.memory import place
from antiphon.outcomes import Outcome, outcome_of, refused
from antiphon.running import Running, Tool, perform
from antiphon.speaking import TOOLS_LIMIT
from antiphon.steps import StepWork
from antiphon.templates import resolve
from antiphon.toolsets import AsyncToolset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.pipeline.reply import Reply
    from antiphon.pipeline.step import Step
    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.tools")

IN_PROGRESS: Final = "The tool call is still in progress; its result is not known yet."
CLOSED: Final = "The session closed before this tool was done."
LAST_LIMIT: Final = 5.0  # seconds that running tools may hold up the end of a session
STOP_LIMIT: Final = 1.0  # seconds that a cancelled tool may take to end
RUNNING: Final = "_running"  # ends the ids of such items: they are in prompts, never in a history


class Toolbox:
    """The session's tools. Mutable state: the calls that run; what goes on in the background, by
    owner: an agent (or None, the session) and a toolset (or None); whether a model was ever told of
    a call that runs; and what was offered last."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._scope = scope
        self.running: list[Running] = []
        self._told = False
        self._offered: tuple[list[llm.Tool | llm.Toolset], llm.ToolContext] | None = None
        self._owners: list[tuple[Agent | None, llm.Toolset | None, Background]] = []

    @property
    def due(self) -> bool:
        """Something that a tool gave is told as soon as nobody speaks."""
        return any(background.due for _, _, background in self._owners)

    @property
    def busy(self) -> bool:
        """The same, or a tool in the background may give something."""
        return self.due or self.searching

    @property
    def searching(self) -> bool:
        """A tool in the background may give something; one that waits for an `AgentTask` does not,
        and so waits for the user."""
        below = self._conversation.seats.below
        return any(running.reports and not below(running.agent) for running in self.running)

    def offered(self, names: NotGivenOr[list[str]] = NOT_GIVEN) -> llm.ToolContext:
        """What a reply may call: the agent's tools and the session's, or only those named.

        Where one of them can be cancelled, so can the model ask which run. In `on_enter` the tools
        flagged IGNORE_ON_ENTER are left out.
        """
        talk, inside = self._conversation, INSIDE.get()
        tools = self._context(talk.toolsets.offered(talk.agent))
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
            more = cancelling.TOOLS if cancelling.wanted(tools) else ()
            context = llm.ToolContext([*tools, *more])
            if context.toolsets:  # what is in them may change
                return context
            self._offered = tools, context
        return self._offered[1]

    def work(self, reply: Reply, step: Step) -> StepWork:
        """For the calls of one step."""
        return StepWork(self._conversation, reply, step)

    def prompt(self, context: llm.ChatContext) -> llm.ChatContext:
        """`context` as a model is to see it: calls that have no answer yet are in progress."""
        if not (self._told or self.running):
            return context  # nothing in it is in progress: a long history is not searched
        self._told = True
        context.items[:] = [item for item in context.items if not item.id.endswith(RUNNING)]
        known = {item.call_id for item in context.items if item.type == "function_call"}
        for running in self.running:
            call = running.call
            if running.work.reply.confirmed and call.call_id not in known:
                output = llm.FunctionCallOutput(
                    id=f"{call.id}_output{RUNNING}",
                    call_id=call.call_id,
                    name=call.name,
                    output=IN_PROGRESS,
                    is_error=False,
                    created_at=call.created_at,
                )
                after = running.work.after[call.call_id]
                shown = call.model_copy(update={"id": f"{call.id}{RUNNING}"})
                place(shown, context, after)
                place(output, context, {shown.id, *after})
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
        running = Running(work, call, tool, self._owner(tool, work.source.voice.agent))
        confirmed = duplicates.take_confirmation(running, arguments)
        others = duplicates.of(running, running.owner.running)
        refusal = duplicates.refusal(running, others, confirmed=confirmed)
        if refusal is not None:
            work.answer(outcome_of(call, refusal))
            return
        self._conversation.mark("tool_started", work.reply, name=call.name, call=call.call_id)
        self.running.append(running)
        running.owner.running.append(running)
        running.tell(ToolCallStarted)
        running.task = self._scope.start(f"tool {call.name}", perform(running, arguments))
        running.task.add_done_callback(lambda task: self._ended(running, task))

    @property
    def ids(self) -> set[str]:
        """Of the calls that run."""
        return {running.call.call_id for running in self.running}

    def _owner(self, tool: Tool, agent: Agent) -> Background:
        """Whose a tool is: the session's where an `AsyncToolset` of the session holds it."""
        toolsets, session = self._conversation.toolsets, self._conversation.session
        whose: Agent | None = None
        toolset = _holder(tool, toolsets.of_session(agent))
        if toolset is None:
            whose, toolset = agent, _holder(tool, toolsets.of_agent(agent))
        for owner, known, background in self._owners:
            if owner is whose and known is toolset:
                return background
        templates = resolve(
            session.tool_handling,
            agent._tool_handling if whose else None,
            toolset.tool_handling if toolset else None,
        )
        background = Background(self._conversation, self._scope, whose, templates)
        self._owners.append((whose, toolset, background))
        return background

    # Ending them.

    def cancel(self, work: StepWork) -> None:
        """Stop the calls of a reply that was only a guess."""
        for running in [running for running in self.running if running.work is work]:
            _cancel(running)

    def cancel_of(self, agent: Agent) -> list[asyncio.Task[object]]:
        """Stop what may be stopped of that agent's; the tasks that run, stopped or not."""
        ours = [running for running in self.running if running.owner.agent is agent]
        for running in ours:
            if running.cancellable:
                _cancel(running)
        return [running.task for running in ours if running.task is not None]

    async def stop(self, running: Running) -> None:
        """Cancel a call on request; ToolError where that may not be."""
        name = running.call.call_id
        if not running.cancellable:
            raise llm.ToolError(f"Tool call {name} is not cancellable")
        if not running.handle.allow_interruptions:
            raise llm.ToolError(f"Tool call {name} may not be interrupted")
        _cancel(running)
        if running.task is not None:
            await asyncio.wait([running.task], timeout=STOP_LIMIT)

    async def leave(self, agent: Agent) -> None:
        """`agent` hands over: its tools end, and what they give is told, for a while."""
        idle, loop = self._conversation.idle, asyncio.get_running_loop()
        limit = loop.time() + TOOLS_LIMIT
        if tasks := self.cancel_of(agent):
            _, late = await asyncio.wait(tasks, timeout=TOOLS_LIMIT)
            for task in late:
                logger.warning("%s takes too long; %s goes without it", task.get_name(), agent.id)
        ours = [background for owner, _, background in self._owners if owner is agent]
        while any(background.due for background in ours) and loop.time() < limit:
            if idle.closed:
                break
            await self._conversation.moved(limit)
        self._owners = [entry for entry in self._owners if entry[0] is not agent]

    async def finish(self) -> None:
        """The session closes: stop what may be stopped, and let the rest end, for a while."""
        for running in self.running:
            if running.cancellable:
                _cancel(running)
        if tasks := [running.task for running in self.running if running.task is not None]:
            await asyncio.wait(tasks, timeout=LAST_LIMIT)

    def abandon(self) -> None:
        """The session has closed: what would not stop is answered as that."""
        left, self.running = self.running, []
        for running in left:
            if not running.reports:
                running.work.answer(refused(running.call, CLOSED, reply=False))

    def _ended(self, running: Running, task: asyncio.Task[object]) -> None:
        if running not in self.running:
            return  # answered already, when the session closed
        self.running.remove(running)
        running.owner.running.remove(running)
        result: object = asyncio.CancelledError()
        if not task.cancelled():
            error = task.exception()
            result = task.result() if error is None else error
        outcome = running.ended(result)
        if outcome is None:
            outcome = refused(running.call, "the tool call was cancelled", reply=False)
        self._report(running, outcome)
        if not running.reports:
            running.work.answer(outcome)
        self._conversation.states.tool_ended()
        self._conversation.stir()
        self._conversation.session.deliver()

    def _report(self, running: Running, outcome: Outcome) -> None:
        call, failed = running.call, outcome.output.is_error
        error = outcome.output.output if failed else None
        self._conversation.mark(
            "tool_ended", running.work.reply, name=call.name, call=call.call_id, error=error
        )


def _cancel(running: Running) -> None:
    if running.task is not None:
        running.task.cancel()


def _holder(tool: Tool, among: Iterable[object]) -> AsyncToolset | None:
    """The innermost `AsyncToolset` that holds it."""
    for toolset in among:
        if isinstance(toolset, llm.Toolset):
            if inner := _holder(tool, toolset.tools):
                return inner
            if isinstance(toolset, AsyncToolset) and _holds(toolset, tool):
                return toolset
    return None


def _holds(toolset: llm.Toolset, tool: Tool) -> bool:
    return any(
        each is tool or (isinstance(each, llm.Toolset) and _holds(each, tool))
        for each in toolset.tools
    )


def _ignored_on_enter(tool: llm.Tool) -> bool:
    flags = tool.info.flags if isinstance(tool, llm.FunctionTool | llm.RawFunctionTool) else None
    return flags is not None and llm.ToolFlag.IGNORE_ON_ENTER in flags
