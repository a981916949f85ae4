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
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from livekit.agents import NOT_GIVEN, CloseReason, ErrorEvent, NotGivenOr, llm

from antiphon.memory import rendered
from antiphon.options import listener
from antiphon.pipeline import observations as o
from antiphon.pipeline.errors import NodeTimeout, UsageError
from antiphon.pipeline.observations import Kind
from antiphon.realtime_ears import RealtimeEars, recognised
from antiphon.realtime_link import LAST, LIMIT, Link, Wish
from antiphon.realtime_reply import RealtimeReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit import rtc

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.memory import Told
    from antiphon.options import Options
    from antiphon.pipeline.streams import Scope
    from antiphon.pipeline.turn_table import Rules
    from antiphon.sources import Voice

logger = logging.getLogger("antiphon.realtime")


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
    """Mutable state: the link to the model, who ends turns, and the reply for which the model
    speaks by itself."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self.link: Link | None = None
        self._conversation = conversation
        self._scope = scope
        self._loop = asyncio.get_running_loop()
        self._detects = False
        self.ears = RealtimeEars(conversation, self)
        self._expected: asyncio.Future[llm.GenerationCreatedEvent] | None = None
        self._handlers: dict[str, Callable[..., None]] = {
            **self.ears.handlers,
            "generation_created": self._on_generation,
            "session_reconnected": self._on_reconnected,
            "metrics_collected": self._on_metrics,
            "error": self._on_error,
        }

    # Who is at the line.

    def follow(self, agent: Agent) -> None:
        """Another agent is in charge, or the same with another model."""
        model, detecting = model_of(agent), detects(agent, self._conversation.options)
        link = self.link
        if model is None:
            self._leave()
        elif link is None or not self._serves(link, model, agent) or detecting != self._detects:
            self._leave()
            self._open(model, detecting)
        else:
            link.interrupt()
            link.clear()
        self._detects = detecting
        if self._conversation.options["turn_detection"] == "realtime_llm" and not detecting:
            logger.warning(
                'turn_detection="realtime_llm": %s ends no turns; our detector and delays do',
                "the agent has no realtime model, which" if model is None else model.model,
            )
        if self.link is not None:
            self._tell(self.link, agent)

    def _serves(self, link: Link, model: llm.RealtimeModel, agent: Agent) -> bool:
        """The session that there is can be that agent's too."""
        can = model.capabilities
        return (
            link.model is model
            and link.dead is None
            and can.mutable_chat_context
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
        for name, handler in self._handlers.items():
            self.link.session.on(cast("Any", name), handler)

    def _tell(self, link: Link, agent: Agent) -> None:
        link.told(self._instructions(agent))
        link.replace(agent.remembered)
        link.offered(self._tools(agent))

    def _leave(self) -> asyncio.Task[Exception | None] | None:
        link, self.link = self.link, None
        if link is None:
            return None
        for name, handler in self._handlers.items():
            link.session.off(cast("Any", name), handler)
        self.ears.quiet()
        return link.close()

    async def close(self) -> None:
        """The session is over: so is the model's."""
        if (closing := self._leave()) is not None:
            await asyncio.wait([closing], timeout=LAST)

    async def refreshed(self, agent: Agent, *, replaced: bool = False) -> None:
        """That agent has other instructions, tools or (`replaced`) another conversation."""
        link = self.link
        if link is None or agent is not self._conversation.agent:
            return
        if not (replaced or self._serves(link, link.model, agent)):
            self.follow(agent)  # a session that knows them from its beginning
        if self.link is not None:
            link = self.link
            link.told(self._instructions(agent))
            link.offered(self._tools(agent))
            await asyncio.wait([link.replace(agent.remembered) if replaced else link.idle()])

    def _instructions(self, agent: Agent) -> str:
        return self._conversation.memory.instructions(agent)

    def _tools(self, agent: Agent) -> list[llm.Tool]:
        return llm.ToolContext(self._conversation.toolsets.offered(agent)).flatten()

    # What it hears and sees.

    def hear(self, frame: rtc.AudioFrame) -> None:
        if self.link is not None:
            self.link.push_audio(frame)

    def see(self, frame: rtc.VideoFrame) -> None:
        if self.link is not None:
            self.link.push_video(frame)

    # Whose turn it is.

    @property
    def detecting(self) -> bool:
        """The model says when turns begin and end; ours do not."""
        return self.link is not None and self._detects

    def speaks_for(self, agent: Agent) -> bool:
        """It says texts that no voice says. UsageError where nobody does."""
        if self.link is None or agent.tts is not None or agent.overrides("tts_node"):
            return False
        if not self.link.can.supports_say and self._conversation.session.speaker is not None:
            raise UsageError(
                "nobody can say that: this realtime model says no given text; pass tts= to "
                "AgentSession, or write generate_reply(instructions=…)"
            )
        return self.link.can.supports_say

    @property
    def overlaps(self) -> bool:
        """The model speaks while the user speaks, and decides itself when to yield."""
        return self.link is not None and self.link.can.supports_overlapping_speech

    def rules(self, rules: Rules, agent: Agent, options: Options) -> Rules:
        """Those of an agent with such a model. No reply of its is prepared on a guess."""
        model = model_of(agent)
        if model is None:
            return rules
        words = rules.min_words if recognised(agent) else 0
        rules = replace(rules, drafts=0, min_words=words)
        if detects(agent, options):
            overlaps = model.capabilities.supports_overlapping_speech
            rules = replace(rules, min_words=0, min_duration=0.0, manual=overlaps)
        return rules

    def _on_generation(self, event: llm.GenerationCreatedEvent) -> None:
        """The model answers by itself."""
        talk, expected = self._conversation, self._expected
        if event.user_initiated or self.link is None:
            return
        if expected is not None and not expected.done():
            expected.set_result(event)
            return
        if talk.idle.closed or talk.speaking.draining:
            self.link.interrupt()
            return
        if self._detects and talk.machine.text:
            talk.observe(o.CommitNow())
        turn, self.ears.turn = self.ears.turn, None
        talk.states.hold()
        talk.speaking.give_way()
        talk.speaking.supersede()
        source = self._reply(talk.speaking.voice(), "answer", partial(_given, event), early=True)
        talk.speaking.speak(source, talk.speaking.kind(Kind.ANSWER, NOT_GIVEN), turn=turn)

    def _on_reconnected(self, _: object) -> None:
        self._conversation.mark("reconnected", None)

    def _on_metrics(self, report: Any) -> None:
        self._conversation.usage.collected(report)

    def _on_error(self, error: llm.RealtimeModelError) -> None:
        talk = self._conversation
        talk.mark("error", None, source="llm", message=str(error.error))
        event = ErrorEvent(error=error, source=talk.agent.llm, created_at=talk.memory.wall())
        talk.session.report("error", lambda: event)
        if not error.recoverable and self.link is not None:
            self.link.ends(error.error)
            talk.session.end(CloseReason.ERROR, error)
        talk.session.deliver()

    def _failed(self, error: Exception) -> None:
        self._conversation.faults.failed("llm", error)
        self._conversation.session.deliver()

    # What it says.

    def reply(
        self,
        voice: Voice,
        name: str,
        tools: llm.ToolContext,
        instructions: NotGivenOr[Told] = NOT_GIVEN,
        *,
        say: Any = None,
    ) -> RealtimeReply:
        """What it answers to what it has heard, or says as it is told."""
        link = self.link
        assert link is not None
        own = tools.flatten()
        wish = Wish(
            instructions=rendered(instructions) if instructions else NOT_GIVEN,
            tool_choice=voice.settings.tool_choice,
            tools=NOT_GIVEN if own == link.tools else own,
            say=say,
        )
        return self._reply(voice, name, partial(self._ask, link, voice.agent, wish), tools=tools)

    async def _ask(self, link: Link, agent: Agent, wish: Wish) -> llm.GenerationCreatedEvent:
        link.agree(agent.remembered)
        try:
            return await link.generate(wish)
        finally:
            link.restore(wish)

    def _reply(
        self,
        voice: Voice,
        name: str,
        asked: Callable[[], Any],
        *,
        tools: llm.ToolContext | None = None,
        early: bool = False,
    ) -> RealtimeReply:
        talk, link = self._conversation, self.link
        assert link is not None
        tools = tools or talk.tools.offered()
        return RealtimeReply(
            voice,
            tools,
            link,
            asked,
            after_tools=self._after_tools,
            name=name,
            on_death=talk.faults.survived,
            early=early,
        )

    def _after_tools(self, voice: Voice) -> RealtimeReply:
        """What it says to the results of its calls; some models do so without being asked."""
        link, offered = self.link, self._conversation.tools.offered()
        assert link is not None
        if not link.can.auto_tool_reply_generation:
            return self.reply(voice, "answer", offered)
        self._expected = self._loop.create_future()
        asked = partial(self._wait, link, voice.agent, self._expected)
        return self._reply(voice, "answer", asked, tools=offered)

    async def _wait(
        self, link: Link, agent: Agent, expected: asyncio.Future[llm.GenerationCreatedEvent]
    ) -> llm.GenerationCreatedEvent:
        await asyncio.wait([link.agree(agent.remembered)])
        await asyncio.wait([expected], timeout=LIMIT)
        if not expected.done():
            expected.cancel()
            raise NodeTimeout.after("the reply to a tool", LIMIT)
        return expected.result()


async def _given(event: llm.GenerationCreatedEvent) -> llm.GenerationCreatedEvent:
    return event
