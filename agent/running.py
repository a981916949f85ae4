"""One tool call that runs: until its first report the reply waits for it, then it is on its own.

The first `update` answers the call. What comes after it, and the result, are entries of their own
in both histories (`{call_id}_update_N`, `{call_id}_final`), which somebody has still to speak of:
see `background.py`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from livekit.agents import (
    ToolCallEnded,
    ToolCallStarted,
    ToolCallUpdated,
    ToolExecutionUpdatedEvent,
    llm,
)

from antiphon.binding import bind
from antiphon.context import CALL, INSIDE, Inside, RunContext
from antiphon.idle import TURNING, SessionClosed
from antiphon.outcomes import Outcome, outcome_of
from antiphon.pipeline.reply import SPEAKING
from antiphon.templates import render

if TYPE_CHECKING:
    from antiphon.agent import Agent
    from antiphon.background import Background
    from antiphon.conversation import Conversation
    from antiphon.pipeline.step import Step
    from antiphon.session import AgentSession
    from antiphon.speech import SpeechHandle
    from antiphon.steps import StepWork

logger = logging.getLogger("antiphon.tools")

Tool = llm.FunctionTool[Any, Any] | llm.RawFunctionTool[Any, Any]

LATE_HANDOFF = "the agent handoff did not happen: the call had been answered by its first update"


class Running:
    """One call that runs, or has run. Mutable state: its task, whether it was told of, how often it
    has reported, and whether it is over."""

    def __init__(
        self, work: StepWork, call: llm.FunctionCall, tool: Tool, owner: Background
    ) -> None:
        self.work = work
        self.call = call
        self.tool = tool
        self.owner = owner
        self.task: asyncio.Task[object] | None = None
        self.reports = 0
        self.over = False
        self._told_of = False

    @property
    def cancellable(self) -> bool:
        return llm.ToolFlag.CANCELLABLE in self.tool.info.flags

    @property
    def conversation(self) -> Conversation:
        return self.work.conversation

    @property
    def session(self) -> AgentSession[Any]:
        return self.work.conversation.session

    @property
    def agent(self) -> Agent:
        """Whose model made the call."""
        return self.work.source.voice.agent

    @property
    def handle(self) -> SpeechHandle:
        return self.work.handle

    @property
    def step(self) -> Step:
        return self.work.step

    def tell(self, kind: type[Any], **fields: object) -> None:
        """Report what became of the call; of one that is only a guess nothing is told."""
        if self.work.reply.confirmed:
            if not self._told_of:
                self._told_of = True
                self._tell(ToolCallStarted(function_call=self.call))
            if kind is not ToolCallStarted:
                self._tell(kind(call_id=self.call.call_id, **fields))

    def _tell(self, update: object) -> None:
        self.conversation.tell("tool_execution_updated", ToolExecutionUpdatedEvent, update=update)

    async def report(self, message: object, template: Any, *, silent: bool) -> None:
        """The tool tells how far it is, and goes on."""
        if self.reports:
            await self.work.reply.permitted()  # a guess writes nothing
        if self.over:
            return
        self.conversation.idle.disturb()
        number, self.reports = self.reports, self.reports + 1
        call = self.entry(f"update_{number}") if number else self.call
        shown = message
        if isinstance(message, str):
            template = template or self.owner.templates["update_template"]
            names = {"function_name": call.name, "call_id": self.call.call_id}
            shown = render(template, **names, message=message)
        outcome = outcome_of(call, shown)
        outcome.agent, outcome.choice = None, "none"
        outcome.output.reply_required &= not silent
        self.tell(ToolCallUpdated, id=call.call_id, message=str(message), silent=silent)
        self._answer(number, outcome)
        self.conversation.session.deliver()

    def ended(self, result: object) -> Outcome | None:
        """It is over with that result; None where the task was cancelled. The answer to the call,
        unless that was given before."""
        self.over = True
        failed = isinstance(result, BaseException) and not isinstance(result, llm.StopResponse)
        name = f"{self.call.call_id}_final" if self.reports else self.call.call_id
        if isinstance(result, asyncio.CancelledError):
            self.tell(ToolCallEnded, id=name, status="cancelled")
            return None
        outcome = outcome_of(self.entry("final") if self.reports else self.call, result)
        if self.reports and outcome.agent is not None:
            logger.warning("%s returned an agent after an update; no handoff", self.call.name)
            outcome, failed = outcome_of(outcome.call, llm.ToolError(LATE_HANDOFF)), True
        text = outcome.output.output or None
        self.tell(ToolCallEnded, id=name, message=text, status="error" if failed else "done")
        if self.reports:
            self._answer(self.reports, outcome)
        return outcome

    def _answer(self, number: int, outcome: Outcome) -> None:
        if number == 0:
            self.work.answer(outcome)
        else:
            self.work.when_written(lambda: self.owner.add(self, outcome))

    def entry(self, name: str) -> llm.FunctionCall:
        """A call of its own in history, for an answer that comes after the first."""
        fields = self.call.model_dump(include={"name", "arguments", "extra"})
        return llm.FunctionCall(call_id=f"{self.call.call_id}_{name}", **fields)


async def perform(running: Running, arguments: dict[str, Any]) -> object:
    """Run a tool in a task of its own; what it raises is its result."""
    context: RunContext[Any] = RunContext(running)
    CALL.set(context)
    SPEAKING.set(running.work.reply)  # a draft's calls begin in the task that confirms it
    INSIDE.set(Inside(running.conversation, running.agent))
    TURNING.set(False)
    result: object
    try:
        await running.owner.make_room(running)
        args, kwargs = bind(running.tool, arguments, context)
        result = await running.tool(*args, **kwargs)
    except Exception as error:
        if not isinstance(error, llm.ToolError | llm.StopResponse | SessionClosed):
            logger.exception("the tool %s failed", running.call.name)
        result = error
    if running.reports:
        await running.work.reply.permitted()
    return result
