"""The tools of one owner that go on in the background, and what they have still to tell.

What a tool reports is in history at once, and is spoken of in one reply when the session is idle:
all that has come until then together. A reply that was cut short, or whose model failed, is given
again after a while of quiet; the model then judges what of it the user has been told already.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import NOT_GIVEN, NotGivenOr, ToolExecutionUpdatedEvent, ToolReplyUpdated, llm

from antiphon import asked, duplicates
from antiphon.context import CALL, INSIDE
from antiphon.idle import HOLDS, TURNING
from antiphon.outcomes import tool_choice
from antiphon.pipeline.errors import SessionClosed
from antiphon.pipeline.reply import SPEAKING
from antiphon.templates import render

if TYPE_CHECKING:
    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.outcomes import Outcome
    from antiphon.pipeline.streams import Scope
    from antiphon.running import Running
    from antiphon.speech import SpeechHandle

logger = logging.getLogger("antiphon.tools")

AGAIN_AFTER: Final = 2.0  # seconds of quiet before what was cut short is told again
TRIES: Final = 3  # replies that were begun, or failed, before one is enough


@dataclass(slots=True, eq=False)
class Report:
    """An entry of history that nobody has spoken of. `known_to`: whose history it is in.

    `given` counts the replies it was in; `tries` those that said something, or failed.
    """

    running: Running
    outcome: Outcome
    known_to: Agent
    given: int = 0
    tries: int = 0


class Background:
    """The tools of an agent (None: of the session, told by whoever is in charge).

    Mutable state: the calls that run; the reports that wait, those being told now, and the task
    that tells them.
    """

    def __init__(
        self,
        conversation: Conversation,
        scope: Scope,
        agent: Agent | None,
        templates: dict[str, Any],
    ) -> None:
        self.agent = agent
        self.templates = templates
        self.running: list[Running] = []
        self._conversation = conversation
        self._scope = scope
        self._waiting: list[Report] = []
        self._telling: list[Report] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def due(self) -> bool:
        """There is something to tell, and somebody to tell it when the moment comes."""
        seats = self._conversation.seats
        able = self.agent is None or seats.answers.agent is self.agent
        return able and bool(self._waiting or self._telling)

    def add(self, running: Running, outcome: Outcome) -> None:
        """Write an entry into history; it is spoken of later, where it asks for that."""
        talk = self._conversation
        agent = self.agent or talk.agent
        outcome.call.created_at = outcome.output.created_at = talk.memory.wall()
        talk.memory.write(outcome.call, agent)
        talk.memory.write(outcome.output, agent)
        if outcome.output.reply_required and not (talk.idle.closed or self._scope.closing):
            self._waiting.append(Report(running, outcome, agent))
            if self._task is None or self._task.done():
                self._task = self._scope.start("reports", self._deliver())

    async def told(self, running: Running) -> None:
        """Wait until what that call has reported so far has had its reply."""
        idle = self._conversation.idle
        while self.due and not idle.closed and any(r.running is running for r in self._fresh()):
            await self._conversation.moved()

    def _fresh(self) -> list[Report]:
        """Those that no reply has ended for yet."""
        return [report for report in self._waiting if not report.given] + self._telling

    async def make_room(self, running: Running) -> None:
        """Stop the calls that this one takes the place of."""
        if running.tool.info.on_duplicate == "replace":
            before = self.running[: self.running.index(running)]
            for other in duplicates.of(running, before):
                await self._conversation.tools.stop(other)

    # Telling.

    async def _deliver(self) -> None:
        for variable in (CALL, INSIDE, SPEAKING):  # this is no code of the tool's
            variable.set(None)
        HOLDS.set(())
        TURNING.set(False)
        while self._waiting:
            again = any(report.given for report in self._waiting)
            try:
                await self._conversation.idle.wait(self.agent, AGAIN_AFTER if again else 0.0)
            except SessionClosed:
                return
            if self.agent is not None and not self._conversation.seats.sits(self.agent):
                logger.debug("what the tools of %s gave is not told: it has left", self.agent.id)
                self._waiting.clear()
                return
            self._telling, self._waiting = self._waiting, []
            handle = self._tell(self._telling)
            await asyncio.wait([handle.ended])
            self._settle(handle)
            self._conversation.stir()

    def _tell(self, reports: list[Report]) -> SpeechHandle:
        """Have the agent in charge speak of them. Nothing here waits: it is idle now."""
        talk = self._conversation
        agent, last = talk.agent, reports[-1].outcome.output
        for report in reports:
            if report.known_to is not agent:
                agent._chat_ctx.insert([report.outcome.call, report.outcome.output])
                report.known_to = agent
        items = agent._chat_ctx.items
        at_tail = bool(items) and items[-1].id == last.id
        name = "reply_at_tail_template" if at_tail else "reply_maybe_covered_template"
        told = render(self.templates[name], call_ids=_ids(reports))
        choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN
        if (wanted := tool_choice(report.outcome for report in reports)) is not None:
            choice = wanted
        asking = asked.Asking(instructions=told, tool_choice=choice)
        handle = asked.generate(talk, NOT_GIVEN, asking)
        self._report("scheduled", reports, handle)
        return handle

    def _settle(self, handle: SpeechHandle) -> None:
        """The reply is over: it has been heard, or is given again."""
        reports, self._telling = self._telling, []
        failed = handle.exception() is not None
        acted = any(item.type == "function_call" for item in handle.chat_items)
        if handle.interrupted or failed:
            self._report("interrupted", reports, handle)
            for report in reports:
                report.given += 1
                report.tries += 1 if failed or handle.chat_items else 0
            if not acted:  # else the model has taken note of them
                left = [report for report in reports if report.tries < TRIES]
                self._waiting = [*left, *self._waiting]
        else:
            self._report("completed" if handle.chat_items else "skipped", reports, handle)

    def _report(self, status: str, reports: list[Report], handle: SpeechHandle) -> None:
        update = {"update_ids": _ids(reports), "status": status, "speech_id": handle.id}
        event = ToolReplyUpdated.model_validate(update)
        talk = self._conversation
        talk.tell("tool_execution_updated", ToolExecutionUpdatedEvent, update=event)
        talk.session.deliver()


def _ids(reports: list[Report]) -> list[str]:
    return [report.outcome.output.call_id for report in reports]
