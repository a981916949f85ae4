"""The seat of a realtime model in a session: what it hears, what it says, and whose turn it is.

While the agent in charge has one, the model hears the user's audio itself. Who ends the user's
turns is settled by its capabilities and the options (`detects`): the model's own detector, whose
word is law, or ours, which commits the audio and asks for a reply. Either way the turn machine
decides, by the same observations as ever.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from livekit.agents import CloseReason, ErrorEvent, llm

from antiphon.options import listener
from antiphon.realtime_ears import RealtimeEars
from antiphon.realtime_errands import LIMIT
from antiphon.realtime_link import LAST, Link
from antiphon.realtime_mouth import RealtimeMouth
from antiphon.unheard import recognised

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit import rtc

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.options import Options
    from antiphon.pipeline.streams import Scope
    from antiphon.pipeline.turn_table import Rules

logger = logging.getLogger("antiphon.realtime")


UNHEARD: Final = 60.0  # seconds a voice may last of whose words there is no news here


def model_of(agent: Agent) -> llm.RealtimeModel | None:
    """The realtime model of that agent's, if it has one."""
    return agent.llm if isinstance(agent.llm, llm.RealtimeModel) else None


def detects(agent: Agent, options: Options) -> bool:
    """Does the model say when the user's turns begin and end?"""
    model = model_of(agent)
    if model is None or not model.capabilities.turn_detection:
        return False
    wanted = options["turn_detection"]
    ours = wanted in ("manual", "vad") or listener(wanted) is not None
    return not (ours and model.capabilities.can_disable_turn_detection)


class Realtime:
    """Mutable state: the link to the model, whose it is, and who ends turns; links to models that
    tell their last words."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self.link: Link | None = None
        self._conversation = conversation
        self._scope = scope
        self._loop = asyncio.get_running_loop()
        self._detects = False
        self._agent: Agent | None = None
        self._leaving: list[Link] = []
        self.ears = RealtimeEars(conversation, self)
        self.mouth = RealtimeMouth(conversation, self)
        self._handlers: dict[str, Callable[..., None]] = {
            **self.ears.handlers,
            **self.mouth.handlers,
            "error": self._on_error,
        }

    # Who is at the line.

    def follow(self, agent: Agent) -> None:
        """Another agent is in charge, or the same with another model."""
        model, detecting = model_of(agent), detects(agent, self._conversation.options)
        link = self.link
        if model is None:
            self._leave()
        elif link is None or not self._serves(link, model, agent) or detecting is not self._detects:
            self._leave()
            self._open(model, detecting)
        elif agent is not self._agent:
            if self._conversation.tools.running and not link.can.manual_function_calls:
                logger.warning("%s cannot go on with a call that waits for a task", model.label)
            link.interrupt()
            if not self.ears.hearing:  # else it is that agent's to answer
                link.clear()
        self._detects = detecting
        if self._conversation.options["turn_detection"] == "realtime_llm" and not detecting:
            logger.warning(
                'turn_detection="realtime_llm": %s ends no turns; our detector and delays do',
                "the agent has no realtime model, which" if model is None else model.model,
            )
        if self.link is not None:
            self.link.told(self._instructions(agent))
            if self.link is not link or agent is not self._agent:
                self.link.replace(agent._chat_ctx, self.ears.words.unfinished)
            self.link.offered(self._tools(agent))
        self._agent = agent

    def _serves(
        self, link: Link, model: llm.RealtimeModel, agent: Agent, *, replaced: bool = False
    ) -> bool:
        """The session that there is can be that agent's, as it is now; `replaced`: with another
        conversation."""
        can, same = model.capabilities, agent is self._agent and not replaced
        return (
            link.model is model
            and link.dead is None
            and (can.mutable_chat_context or same)
            and (can.mutable_instructions or link.instructions == self._instructions(agent))
            and (can.mutable_tools or link.tools == self._tools(agent))
        )

    def _open(self, model: llm.RealtimeModel, detecting: bool) -> None:
        disabled = not detecting and model.capabilities.can_disable_turn_detection
        try:
            self.link = Link(model, self._scope, self._failed, disabled=disabled)
        except Exception as error:
            self._failed(error)
            self._conversation.session.end(CloseReason.ERROR, error)
            return
        self.ears.words.number = next(self._conversation.recognisers)
        for name, handler in self._handlers.items():
            self.link.session.on(cast("Any", name), handler)
        self.link.session.on("metrics_collected", self._on_metrics)

    def _leave(self) -> None:
        """Another is heard, and answers, from now on; the model may tell its last words."""
        if (link := self._let_go()) is not None and self._agent is not None:
            last = self.ears.left(link, self._agent, detecting=self._detects)
            self._leaving.append(link)
            self._scope.start("realtime leaving", self._left(link, last))

    async def _left(self, link: Link, last: Awaitable[None]) -> None:
        await last
        self._leaving.remove(link)
        self._close(link)

    def _let_go(self) -> Link | None:
        link, self.link = self.link, None
        if link is not None:
            for name, handler in self._handlers.items():
                link.session.off(cast("Any", name), handler)
        return link

    def _close(self, link: Link) -> asyncio.Task[Exception | None]:
        closing, collected = link.close(), self._on_metrics  # what it used, it may say at its end
        closing.add_done_callback(lambda _: link.session.off("metrics_collected", collected))
        return closing

    async def close(self) -> None:
        """The session is over: so is the model's."""
        if (link := self._let_go()) is not None:
            self._leaving.append(link)
        if self._leaving:
            await asyncio.wait([self._close(link) for link in self._leaving], timeout=LAST)

    async def refreshed(self, agent: Agent, before: llm.ChatContext | None = None) -> None:
        """That agent has other instructions or tools, or remembers other things than `before`."""
        link = self.link
        if link is None or agent is not self._conversation.agent:
            return
        replaced = before is not None and _names(before) != _names(agent._chat_ctx)
        if not self._serves(link, link.model, agent, replaced=replaced):
            await self.mouth.said(LIMIT)
            if self.link is link and agent is self._conversation.agent:
                self._leave()  # a session that knows them from its beginning
                self.follow(agent)
            return
        link.told(self._instructions(agent))
        link.offered(self._tools(agent))
        told = (
            link.idle() if before is None or not replaced else self._replaced(link, agent, before)
        )
        await asyncio.wait([told])

    def _replaced(self, link: Link, agent: Agent, before: llm.ChatContext) -> asyncio.Future[None]:
        """The application has changed what it remembers; what the model is about to say, and what
        it has heard and not told, it knows all the same."""
        now, then = agent._chat_ctx.items, before.items
        gone = {item.id for item in then} - {item.id for item in now}
        gone |= _called(then) - _called(now)
        return link.replace(agent._chat_ctx, lambda item: not gone & {item.id, *_called([item])})

    def _instructions(self, agent: Agent) -> str:
        return self._conversation.memory.instructions(agent)

    def _tools(self, agent: Agent) -> list[llm.Tool]:
        return llm.ToolContext(self._conversation.toolsets.offered(agent)).flatten()

    # What it hears and sees.

    def hear(self, frame: rtc.AudioFrame) -> None:
        self.ears.hear(frame)

    def see(self, frame: rtc.VideoFrame) -> None:
        if self.link is not None:
            self.link.push_video(frame)

    # Whose turn it is.

    @property
    def detecting(self) -> bool:
        """The model says when turns begin and end; ours do not."""
        return self.link is not None and self._detects

    @property
    def overlaps(self) -> bool:
        """The model speaks while the user speaks, and decides itself when to yield."""
        return self.link is not None and self.link.can.supports_overlapping_speech

    def rules(self, rules: Rules, agent: Agent, options: Options) -> Rules:
        """Those of an agent with such a model. No reply of its is prepared on a guess."""
        model = model_of(agent)
        if model is None:
            return rules
        rules = replace(rules, drafts=0)
        if not recognised(agent) or detects(agent, options):
            rules = replace(rules, min_words=0, stuck_voice=UNHEARD)
        if detects(agent, options):
            overlaps = model.capabilities.supports_overlapping_speech
            rules = replace(rules, min_duration=0.0, manual=overlaps)
        return rules

    def _on_metrics(self, report: Any) -> None:
        self._conversation.usage.collected(report)

    def _on_error(self, error: llm.RealtimeModelError) -> None:
        talk = self._conversation
        talk.mark("error", None, source="llm", message=str(error.error))
        self.mouth.shaken()
        event = ErrorEvent(error=error, source=talk.agent.llm, created_at=talk.memory.wall())
        talk.session.report("error", lambda: event)
        if not error.recoverable and self.link is not None:
            self.link.ends(error.error)
            talk.session.end(CloseReason.ERROR, error)
        talk.session.deliver()

    def _failed(self, error: Exception) -> None:
        self._conversation.faults.failed("llm", error)
        self._conversation.session.deliver()


def _names(context: llm.ChatContext) -> list[str]:
    return [item.id for item in context.items]


def _called(items: list[llm.ChatItem]) -> set[str]:
    """The names of the calls."""
    return {i.call_id for i in items if i.type in ("function_call", "function_call_output")}
