"""The session's replies: made here, in line or with the floor here, ended here."""

from __future__ import annotations

import asyncio
import logging
import math
from functools import partial
from typing import TYPE_CHECKING, Final

from livekit.agents import NOT_GIVEN, ModelSettings, NotGivenOr, llm

from antiphon import expressive
from antiphon.context import CALL
from antiphon.events import SpeechCreatedEvent
from antiphon.pipeline import observations as o
from antiphon.pipeline.errors import UsageError
from antiphon.pipeline.interruption import invites_answer
from antiphon.pipeline.observations import Kind
from antiphon.pipeline.reply import SPEAKING, Reply
from antiphon.runs import Runs
from antiphon.sources import Generated, Said, Voice
from antiphon.speech import SpeechHandle

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.memory import Told
    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.speaking")

TOOLS_LIMIT: Final = 30.0  # seconds that tools may hold up the agent that takes over


class Speaking:
    """Mutable state: the replies that live, each with its handle, and whether it is all over."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._scope = scope
        self._replies: dict[Reply, SpeechHandle] = {}
        self.runs = Runs(conversation, scope)
        self.draining = False  # what is asked for is said to its end, and nothing new is taken
        self._made = 0
        self._closed = False

    # Making replies.

    def speak(
        self, source: Said, kind: Kind, *, turn: int | None = None, asked: bool = True
    ) -> SpeechHandle:
        """Have a reply stand in line; one that nobody `asked` for is a realtime model's own."""
        reply = self._new(source, kind, turn)
        handle = self._replies[reply]
        self._created(handle, "say" if source.name == "say" else "generate_reply", asked=asked)
        if turn is not None:
            self._conversation.usage.turn_over(turn, handle.id)
        reply.confirm()
        self._conversation.session.deliver()
        return handle

    def let_out(self, draft: Reply, turn: int) -> None:
        """The turn that a draft was prepared for is committed."""
        draft.turn = turn
        handle = self._replies[draft]
        self._created(handle, "generate_reply", asked=True)
        self._conversation.usage.turn_over(turn, handle.id)
        draft.confirm(self.kind(Kind.ANSWER, NOT_GIVEN))
        self._conversation.session.deliver()

    def _created(self, handle: SpeechHandle, source: str, *, asked: bool) -> None:
        self.runs.watch(handle)
        speech = {"speech_handle": handle, "source": source, "user_initiated": asked}
        self._conversation.tell("speech_created", SpeechCreatedEvent, **speech)

    def prepare(self, message: llm.ChatMessage) -> Reply:
        """A draft: an answer to a message that is not in history yet."""
        talk, agent = self._conversation, self._conversation.agent

        def context() -> llm.ChatContext:
            found = talk.memory.context(agent)
            if not any(item is message for item in found.items):
                found.items.append(message)
            return found

        return self._new(self.generated(context, "answer"), Kind.ANSWER, None)

    def fresh(self, draft: Reply | None) -> bool:
        """Would the model be asked just what it was asked for this draft?"""
        source, talk = draft.step.source if draft else None, self._conversation
        if not isinstance(source, Generated) or source.voice.agent is not talk.agent:
            return False
        if not source.given.items:
            return True  # it has not been asked yet
        now = self.prompt(talk.memory.context(talk.agent), source)
        return source.given.items == now.items and source.tools == talk.tools.offered()

    def answer(
        self, turn: int, context: Callable[[], llm.ChatContext] | None, before: int
    ) -> SpeechHandle:
        """Answer a turn that is in history, or a context that a hook has changed. The model waits
        only for what was being heard `before` (so many replies) that hook began."""
        talk = self._conversation
        source = self.generated(context or partial(talk.memory.context, talk.agent), "answer")
        source.early = not any(
            reply.number <= before and "audible" in reply.step.marked for reply, _ in self.in_line()
        )
        return self.speak(source, self.kind(Kind.ANSWER, NOT_GIVEN), turn=turn)

    def generated(
        self,
        context: Callable[[], llm.ChatContext],
        name: str,
        settings: ModelSettings | None = None,
        tools: llm.ToolContext | None = None,
        instructions: NotGivenOr[Told] = NOT_GIVEN,
    ) -> Generated:
        """What the model is to say: to that context, or of itself with those instructions."""
        realtime = self._conversation.realtime
        tools = tools or self._conversation.tools.offered()
        if realtime.link is not None:
            return realtime.mouth.reply(self.voice(settings), name, tools, instructions)
        source = Generated(
            self.voice(settings),
            lambda: self.prompt(context(), source),
            tools,
            name=name,
            on_death=self._conversation.faults.survived,
        )
        return source

    def prompt(self, context: llm.ChatContext, source: Generated) -> llm.ChatContext:
        """A context as the model of that source is to see it."""
        talk = self._conversation
        context = talk.tools.prompt(context)
        return talk.expressive.prompt(context, source.voice.agent, source.modality)

    def settings(self, tool_choice: NotGivenOr[llm.ToolChoice]) -> ModelSettings:
        """Inside a tool the model is to talk, unless it is asked for more."""
        if tool_choice is NOT_GIVEN and CALL.get() is not None:
            return ModelSettings(tool_choice="none")
        return ModelSettings(tool_choice=tool_choice)

    def voice(self, settings: ModelSettings | None = None) -> Voice:
        """How the current agent speaks now."""
        talk = self._conversation
        rate = talk.session.speaker.rate if talk.session.speaker else 1
        session = talk.session
        return Voice(
            talk.agent,
            settings or ModelSettings(),
            rate,
            session.polish,
            session.chunker,
            None if talk.realtime.link is not None else expressive.markup(talk.agent),
        )

    def kind(self, kind: Kind, allow_interruptions: NotGivenOr[bool]) -> Kind:
        """Protected where interruptions are not allowed, here or by the options."""
        allowed = self._conversation.options["interruption"]["enabled"]
        if allow_interruptions is not NOT_GIVEN:
            allowed = allow_interruptions
        return kind.but(protected=not allowed)

    def _new(self, source: Said, kind: Kind, turn: int | None) -> Reply:
        if self._closed:
            raise UsageError("the session has closed; make a new one to speak again")
        self._made += 1
        reply = Reply(self._made, kind, source, self._conversation.stage, turn=turn)
        self._replies[reply] = SpeechHandle(reply, self, f"speech_{self._made}")
        self._conversation.mark("reply_started", reply, source=source.name)
        reply.start(self._scope)
        return reply

    # Those there are.

    def all(self) -> list[Reply]:
        """Every one that lives."""
        return list(self._replies)

    @property
    def made(self) -> int:
        """How many there were so far."""
        return self._made

    def resting(self) -> int:
        """How many have left the floor while their tools run, and do not wait for the user."""
        return sum(r.resting and not self._waits_below(r) for r in self._replies)

    def give_way(self) -> None:
        """A newer turn is to be answered: an older one's answer is not, while it stands in line.

        The newer one's answers both. What has the floor is the turn machine's matter.
        """
        talk = self._conversation
        for reply, _ in reversed(self.in_line()):
            if reply.gen != talk.machine.gen and reply.kind.answers and is_of(reply, talk.agent):
                reply.cut()

    def supersede(self) -> None:
        """A newer turn is answered: what rests until its tools are done will not be said.

        But for a speech whose tool waits for an `AgentTask`: the turn is that one's.
        """
        resting = [r for r in self._replies if r.resting and not self._waits_below(r)]
        for reply in [r for r in resting if not r.kind.protected]:
            reply.cut()

    async def finished(self, agent: Agent) -> None:
        """Wait until nothing of that agent's is being said, or waits for its tools."""
        while ours := [pair for pair in self._replies.items() if is_of(pair[0], agent)]:
            done, _ = await asyncio.wait([h.ended for _, h in ours], timeout=TOOLS_LIMIT)
            if not done and all(reply.resting for reply, _ in ours):
                for reply, handle in ours:
                    logger.warning("%s waits for its tools for too long; given up", handle.id)
                    reply.cut()

    def __len__(self) -> int:
        return len(self._replies)

    def in_line(self) -> list[tuple[Reply, SpeechHandle]]:
        """The replies that stand in line or speak, first the one that has the floor."""
        confirmed = [pair for pair in self._replies.items() if pair[0].gen is not None]
        return sorted(confirmed, key=lambda pair: pair[0].gen or 0)

    def unfinished(self) -> list[SpeechHandle]:
        """What stands in line, is being said, or waits for its tools.

        Not the speech that asks, nor one whose tool waits for an `AgentTask`, and so for the user.
        """
        asking = SPEAKING.get()
        return [
            handle
            for reply, handle in self._replies.items()
            if reply.confirmed and reply is not asking and not self._waits_below(reply)
        ]

    def suspended(self) -> list[SpeechHandle]:
        """Those whose tool waits for an `AgentTask`."""
        return [handle for reply, handle in self._replies.items() if self._waits_below(reply)]

    def _waits_below(self, reply: Reply) -> bool:
        source = reply.step.source
        if not (reply.resting and isinstance(source, Said)):
            return False
        return self._conversation.seats.below(source.voice.agent)

    def with_gen(self, gen: int | None) -> Reply | None:
        """The reply in that place, if it still has one."""
        if gen is None:
            return None
        return next((reply for reply in self._replies if reply.gen == gen), None)

    def name_of(self, reply: Reply) -> str | None:
        """The id of its handle, while it lives."""
        handle = self._replies.get(reply)
        return handle.id if handle else None

    def handle(self, reply: Reply) -> SpeechHandle:
        return self._replies[reply]

    def invites_answer(self) -> bool:
        """Would "yes" now be an answer to what the agent is saying?"""
        reply = self.with_gen(self._conversation.machine.gen)
        if reply is None:
            return False
        remaining = reply.step.remaining()
        said = reply.step.said() if remaining < math.inf or reply.step.ledger.queued else ""
        return invites_answer(said, remaining)

    # Ending them.

    def protect(self, reply: Reply, protected: bool) -> None:
        """Forbid (or allow again) that the user ends this reply."""
        reply.kind = reply.kind.but(protected=protected)
        if reply.gen is not None:
            self._conversation.line.rename(reply.gen, reply.kind)
            self._conversation.observe(o.Protect(reply.gen, protected))

    def interrupt(self, reply: Reply) -> None:
        """End one reply, wherever it is and whatever it allows; what is asked for right after it
        follows without a moment of listening."""
        self._conversation.states.hold()
        holder = self._conversation.line.holder
        if holder is not None and holder.gen == reply.gen:
            self._conversation.observe(o.Interrupt(force=True))
        else:
            reply.cut()
            self._conversation.session.deliver()

    def quieten(self, agent: Agent) -> None:
        """Nothing more of that agent's is said; the last in line first."""
        ours = [reply for reply in self._replies if is_of(reply, agent)]
        for reply in sorted(ours, key=lambda r: r.gen or 0, reverse=True):
            self.interrupt(reply)

    def interrupt_all(self, *, force: bool) -> None:
        """End the current speech and those behind it, up to the first protected one."""
        self._conversation.answers.drop()
        ending: list[Reply] = []
        for reply, _ in self.in_line():
            if reply.kind.protected and not force:
                if not ending:
                    raise RuntimeError("this speech does not allow interruptions; pass force=True")
                break
            ending.append(reply)
        for reply in [r for r in self._replies if r.resting and not self._waits_below(r)]:
            if force or not reply.kind.protected:
                reply.cut()
        for reply in reversed(ending):  # the last first, so that none of them gets the floor
            self.interrupt(reply)

    def ended(self, reply: Reply) -> None:
        """A reply is over; whoever waits for it may go on."""
        handle = self._replies.pop(reply, None)
        if handle is not None:
            handle.settle()

    def close(self) -> None:
        """Cut everything, the last in line first; nothing more can be said."""
        self.runs.close()
        self._closed = True
        for reply, _ in reversed(self.in_line()):
            reply.cut()
        for reply in list(self._replies):
            reply.cut()


def is_of(reply: Reply, agent: Agent) -> bool:
    """It is that agent's, and is meant to be heard."""
    source = reply.step.source
    return reply.confirmed and isinstance(source, Said) and source.voice.agent is agent
