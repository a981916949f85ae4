"""The tool calls of one step of a reply, from the first call to what the reply does next."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from livekit.agents import ModelSettings, llm

from antiphon.events import FunctionToolsExecutedEvent
from antiphon.outcomes import (
    INTERRUPTED,
    NO_HANDOFF,
    TWO_AGENTS,
    Outcome,
    failed_handoff,
    refused,
    tool_choice,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.conversation import Conversation
    from antiphon.memory import Told
    from antiphon.pipeline.calls import Call
    from antiphon.pipeline.reply import Reply
    from antiphon.pipeline.source import Source
    from antiphon.pipeline.step import Step
    from antiphon.sources import Generated

logger = logging.getLogger("antiphon.tools")


class StepWork:
    """The `Work` of one step. Mutable state: the calls in order, each with its outcome."""

    def __init__(self, conversation: Conversation, reply: Reply, step: Step) -> None:
        self.conversation = conversation
        self.reply = reply
        self.step = step
        self.handle = conversation.speaking.handle(reply)
        self._outcomes: dict[str, Outcome | None] = {}
        self.after: dict[str, set[str]] = {}  # the ids that a call of the same instant stays behind
        self._answered: asyncio.Future[None] | None = None  # somebody waits for the last one
        self._written = False
        self._later: list[Callable[[], None]] = []  # what is written after it

    @property
    def source(self) -> Generated:
        return cast("Generated", self.step.source)  # nobody else calls tools

    def begin(self, call: Call) -> None:
        self.conversation.tools.start(self, self._item(call), self.source.named)

    def refuse(self, call: Call) -> None:
        self._take(refused(self._item(call), INTERRUPTED, reply=False))  # `abandon` follows

    def answer(self, outcome: Outcome) -> None:
        """One of the calls has its output."""
        self._take(outcome)
        if self._complete and self._answered is not None and not self._answered.done():
            self._answered.set_result(None)
        if self._complete and self.reply.done:
            self._end(interrupted=True)

    def _take(self, outcome: Outcome) -> None:
        self._outcomes[outcome.call.call_id] = outcome
        outcome.output.created_at = self.conversation.memory.wall()
        self._show(outcome.output)

    def abandon(self, *, confirmed: bool) -> None:
        if not confirmed:
            self._written = True  # a guess leaves no trace
            self.conversation.tools.cancel(self)
        elif self._complete:
            self._end(interrupted=True)

    def when_written(self, do: Callable[[], None]) -> None:
        """Call `do` once the calls of this step and their outputs are in history."""
        if self._written:
            do()
        else:
            self._later.append(do)

    async def following(self) -> Source | None:
        if not self._complete:
            self._answered = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._answered])
        return self._next(self._end(interrupted=False))

    @property
    def _complete(self) -> bool:
        return all(outcome is not None for outcome in self._outcomes.values())

    def _item(self, call: Call) -> llm.FunctionCall:
        """A call as history shows it; ids that a model uses twice are told apart."""
        wanted = cast("llm.FunctionToolCall", call.what)
        history = self.source.voice.agent._chat_ctx.items
        known = {item.call_id for item in history if item.type == "function_call"}
        known.update(self._outcomes, self.conversation.tools.ids)
        name, number = wanted.call_id, 2
        while name in known:
            name, number = f"{wanted.call_id}_{number}", number + 1
        item = llm.FunctionCall(
            id=f"{self.source.id}/fnc_{len(self._outcomes)}",  # with the words of its step
            call_id=name,
            name=wanted.name,
            arguments=wanted.arguments or "{}",
            extra=wanted.extra or {},
            created_at=self.conversation.memory.wall(),
        )
        earlier = {f"{self.source.id}/fnc_{number}" for number in range(len(self._outcomes))}
        self.after[name] = self.conversation.memory.of_this_instant() | earlier | {self.source.id}
        self._outcomes[name] = None
        self._show(item)
        return item

    def _show(self, item: llm.FunctionCall | llm.FunctionCallOutput) -> None:
        """Who watches the speech sees a call as it begins; a guess is shown when it is none."""
        if self.reply.confirmed:
            self.handle.added(item)

    def _end(self, *, interrupted: bool) -> list[Outcome]:
        """Write the calls and their outputs into history, once, and tell of them."""
        outcomes = [outcome for outcome in self._outcomes.values() if outcome is not None]
        if self._written:
            return outcomes
        self._written = True
        handing_over = [outcome for outcome in outcomes if outcome.agent is not None]
        if interrupted or len(handing_over) > 1:
            for outcome in handing_over:
                failed_handoff(outcome, NO_HANDOFF if interrupted else TWO_AGENTS)
        for outcome in outcomes:
            outcome.output.reply_required &= not interrupted
        event = FunctionToolsExecutedEvent(
            function_calls=[outcome.call for outcome in outcomes],
            function_call_outputs=[outcome.output for outcome in outcomes],
        )
        event.hands_over = len(handing_over) == 1 and not interrupted
        talk, agent = self.conversation, self.source.voice.agent
        talk.tell("function_tools_executed", lambda **_: event)
        talk.session.deliver()
        if not event.has_agent_handoff:
            for outcome in handing_over:
                outcome.agent = None
        now = talk.memory.wall()
        for outcome in outcomes:
            self._show(outcome.call)
            talk.memory.write(outcome.call, agent, self.after[outcome.call.call_id])
        for outcome in outcomes:
            self._show(outcome.output)
            outcome.output.created_at = now
            talk.memory.write(outcome.output, agent)
        later, self._later = self._later, []
        for do in later:
            do()
        return outcomes

    def _next(self, outcomes: list[Outcome]) -> Source | None:
        """The step that answers the outputs, where one of them asks for it."""
        talk, source = self.conversation, self.source
        agent = next((outcome.agent for outcome in outcomes if outcome.agent is not None), None)
        if agent is not None:
            talk.answers.hand_over(agent)
        here = talk.seats.sits(source.voice.agent)
        if not here or not any(outcome.output.reply_required for outcome in outcomes):
            return None
        last = self.reply.steps > talk.session.options.max_tool_steps
        if last:
            logger.warning("%s tool steps are enough; the model must answer now", self.reply.steps)
        leaving = agent is not None or not talk.seats.stays(source.voice.agent)
        none = (
            last or leaving or talk.speaking.draining or source.voice.settings.tool_choice == "none"
        )
        choice = "none" if none else tool_choice(outcomes) or "auto"

        def refreshed(given: llm.ChatContext, told: Told) -> llm.ChatContext:
            return talk.speaking.prompt(
                talk.memory.refreshed(given, told, source.voice.agent), source
            )

        return source.next(ModelSettings(tool_choice=choice), refreshed)
