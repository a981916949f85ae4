"""What a realtime model says: replies asked for, replies of its own, replies said again.

A model answers by itself where it ends the user's turns, and some also when their tools are done;
else it is asked. What a failing connection breaks off is said anew on the next one.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import NOT_GIVEN, NotGivenOr, llm

from antiphon.memory import rendered
from antiphon.pipeline.errors import NodeTimeout, UsageError
from antiphon.pipeline.observations import Kind
from antiphon.pipeline.reply import SPEAKING
from antiphon.realtime_errands import LIMIT
from antiphon.realtime_link import Link, Wish
from antiphon.realtime_reply import RealtimeReply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit.agents.metrics import AgentMetrics

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.memory import Told
    from antiphon.pipeline.reply import Reply
    from antiphon.realtime import Realtime
    from antiphon.realtime_reply import Asked
    from antiphon.sources import Voice

MOMENT: Final = 0.1  # seconds between two looks
INSTANT: Final = 0.05  # seconds between the end of all that was coming and the news of it
LAG: Final = 0.02  # seconds in which what has come is read
KEPT: Final = 20  # responses of which the model may still say what they used
LATELY: Final = 30.0  # seconds after a failure in which a new connection mends it

Coming = asyncio.Future[llm.GenerationCreatedEvent]


class RealtimeMouth:
    """Mutable state: the replies for which the model speaks by itself; those that were coming when
    the line failed, in which step, and when; and whose the last responses were, by their names."""

    def __init__(self, conversation: Conversation, seat: Realtime) -> None:
        self._conversation = conversation
        self._seat = seat
        self._loop = asyncio.get_running_loop()
        self._expected: list[tuple[Coming, RealtimeReply]] = []
        self._shaken: list[tuple[float, Reply, RealtimeReply]] = []
        self._given: dict[str, Reply] = {}
        self.handlers: dict[str, Callable[..., None]] = {
            "generation_created": self._on_generation,
            "session_reconnected": self._on_reconnected,
        }

    @property
    def _link(self) -> Link | None:
        return self._seat.link

    def shaken(self) -> None:
        """The line has failed, and may come back. Some plugins end what was coming first."""
        now = self._loop.time()
        self._shaken = [each for each in self._shaken if now - each[0] < LATELY]
        self._shaken += [(now, *coming) for coming in self._coming(now - INSTANT)]

    def _on_generation(self, event: llm.GenerationCreatedEvent) -> None:
        """The model answers by itself."""
        talk, amd = self._conversation, self._conversation.session.amd
        if event.user_initiated or self._link is None:
            return
        unwanted = talk.seats.full or talk.speaking.draining
        unwanted |= amd is not None and amd.takes_turns
        here = [each for each in self._expected if each[1].link is self._link]
        self._expected = [each for each in here if not each[0].done()]
        if self._expected:
            coming, reply = self._expected.pop(0)
            if not reply.stopped:
                self._seat.ears.unannounced()
                coming.set_result(event)
                return
            unwanted |= not self._seat.detecting  # nobody waits for it any more
        if unwanted:
            self._link.interrupt()
            return
        if self._seat.detecting:
            self._seat.ears.answered()
        turn, self._seat.ears.turn = self._seat.ears.turn, None
        talk.states.hold()
        talk.speaking.give_way()
        talk.speaking.supersede()
        source = self._reply(talk.speaking.voice(), "answer", partial(_given, event), early=True)
        source.response.under_way = True
        kind = talk.speaking.kind(Kind.ANSWER, NOT_GIVEN)
        talk.speaking.speak(source, kind, turn=turn, asked=False)

    def _coming(self, since: float = math.inf) -> list[tuple[Reply, RealtimeReply]]:
        """The replies of which more is to come, or was until then."""
        return [
            (reply, source)
            for reply in self._conversation.speaking.all()
            if isinstance(source := reply.step.source, RealtimeReply)
            and source.link is self._link
            and not (source.response.over and source.response.ended < since)
            and not reply.resting
        ]

    async def said(self, limit: float) -> None:
        """Wait, for `limit` seconds, until the model has given all of what it is saying."""
        ends = self._loop.time() + limit
        while self._coming() and (now := self._loop.time()) < ends:
            await self._conversation.moved(now + MOMENT)

    def _on_reconnected(self, _: object) -> None:
        """The line is there again: what it had broken off is said anew, from what was heard on."""
        talk, now, link = self._conversation, self._loop.time(), self._link
        if link is None:
            return
        about = link.model.metrics_metadata
        talk.mark("reconnected", None, model=about.get("model_name"))
        self._seat.ears.reconnected()
        link.retold.again(lambda: talk.agent._chat_ctx)
        shaken = [
            (reply, source)
            for at, reply, source in self._shaken
            if now - at < LATELY
            and source is reply.step.source
            and source.response.given_at <= at + LAG  # else the line had lived on
        ]
        broken = dict.fromkeys([*shaken, *self._coming()])
        self._shaken.clear()
        for reply, source in broken:
            if reply.interrupted:
                continue
            reply.cut()
            if (wish := source.wish.after(reply.step.said())) is not None:
                wish = replace(wish, again=True)
                again = self._wished(source.voice, source.name, source.tools, wish)
                again.remembered = source.remembered
                talk.speaking.speak(again, reply.kind, turn=reply.turn)

    async def _give(self, asked: Asked) -> llm.GenerationCreatedEvent:
        """The response to the reply that asks here."""
        event, reply = await asked(), SPEAKING.get()
        if event.response_id and reply is not None:
            self._given[event.response_id] = reply
            for old in list(self._given)[:-KEPT]:
                del self._given[old]
        return event

    def giving(self, report: AgentMetrics) -> Reply | None:
        """The reply for which the model used that."""
        return self._given.get(getattr(report, "request_id", ""))

    def speaks_for(self, agent: Agent) -> bool:
        """It says texts that no voice says. UsageError where nobody does."""
        if self._link is None or agent.tts is not None or agent._overrides("tts_node"):
            return False
        if not self._link.can.supports_say and self._conversation.session.speaker is not None:
            raise UsageError(
                "nobody can say that: this realtime model says no given text; pass tts= to "
                "AgentSession, or write generate_reply(instructions=…)"
            )
        return self._link.can.supports_say

    # What it says.

    def reply(
        self,
        voice: Voice,
        name: str,
        tools: llm.ToolContext,
        instructions: NotGivenOr[Told] = NOT_GIVEN,
    ) -> RealtimeReply:
        """What it answers to what it has heard."""
        link = self._link
        assert link is not None
        own = tools.flatten()
        wish = Wish(
            instructions=rendered(instructions) if instructions else NOT_GIVEN,
            tool_choice=voice.settings.tool_choice,
            tools=NOT_GIVEN if own == link.tools else own,
        )
        return self._wished(voice, name, tools, wish)

    def said_as_given(self, voice: Voice, text: Any) -> RealtimeReply:
        """It says that text, or the texts as they come."""
        return self._wished(voice, "say", llm.ToolContext.empty(), Wish(say=text))

    def _wished(self, voice: Voice, name: str, tools: llm.ToolContext, wish: Wish) -> RealtimeReply:
        link = self._link
        assert link is not None
        asked = partial(self._ask, link, voice.agent, wish)
        return self._reply(voice, name, asked, tools=tools, wish=wish, wait=self._wait_to_ask)

    async def _wait_to_ask(self) -> bool:
        """May the model be asked now? Not while it says something else, or hears a turn of the
        user's of which it says itself when it is over. Waits a moment where it may not."""
        seat, talk = self._seat, self._conversation
        hears = seat.detecting and not seat.overlaps and talk.machine.unfinished
        if not hears and not any(each.response.under_way for _, each in self._coming()):
            return True
        await talk.moved(self._loop.time() + MOMENT)
        return False

    async def _ask(self, link: Link, agent: Agent, wish: Wish) -> llm.GenerationCreatedEvent:
        link.agree(agent._chat_ctx)
        try:
            return await link.generate(wish)
        except (NodeTimeout, llm.RealtimeError):
            shaken = any(reply is SPEAKING.get() for _, reply, _ in self._shaken)
            if not (wish.again or shaken):  # it is silent, and its line is well
                await link.move_on()
            raise
        finally:
            link.restore(wish)

    def _reply(
        self,
        voice: Voice,
        name: str,
        asked: Asked,
        *,
        tools: llm.ToolContext | None = None,
        wish: Wish | None = None,
        wait: Callable[[], Awaitable[bool]] | None = None,
        early: bool = False,
    ) -> RealtimeReply:
        talk, link = self._conversation, self._link
        assert link is not None
        tools = tools or talk.tools.offered()
        return RealtimeReply(
            voice,
            tools,
            link,
            partial(self._give, asked),
            wish=wish or Wish(tool_choice=voice.settings.tool_choice),
            wait=wait,
            after_tools=self._after_tools,
            name=name,
            on_death=talk.faults.survived,
            early=early,
        )

    def _after_tools(self, voice: Voice) -> RealtimeReply:
        """What it says to the results of its calls; some models do so without being asked."""
        link, offered = self._link, self._conversation.tools.offered()
        assert link is not None
        if not link.can.auto_tool_reply_generation:
            return self.reply(voice, "answer", offered)
        coming: Coming = self._loop.create_future()
        asked = partial(self._wait, link, voice.agent, coming)
        reply = self._reply(voice, "answer", asked, tools=offered)
        self._expected.append((coming, reply))
        return reply

    async def _wait(self, link: Link, agent: Agent, expected: Coming) -> llm.GenerationCreatedEvent:
        await asyncio.wait([link.agree(agent._chat_ctx)])
        await asyncio.wait([expected], timeout=LIMIT)
        if not expected.done():
            expected.cancel()
            raise NodeTimeout.after("the reply to a tool", LIMIT)
        return expected.result()


async def _given(event: llm.GenerationCreatedEvent) -> llm.GenerationCreatedEvent:
    return event
