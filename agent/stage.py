"""What a reply asks of its session: a place in line, an output, a memory for its words."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from livekit.agents import llm

from antiphon.pipeline import observations as o
from antiphon.pipeline.pace import Pace
from antiphon.pipeline.source import Limits
from antiphon.pipeline.words import unmarked
from antiphon.sources import Said

if TYPE_CHECKING:
    from antiphon.conversation import Conversation
    from antiphon.pipeline.calls import Work
    from antiphon.pipeline.floor import Line
    from antiphon.pipeline.left_behind import Strays
    from antiphon.pipeline.playout import Output
    from antiphon.pipeline.reply import Reply
    from antiphon.pipeline.step import Step


class Stage:
    """The `pipeline.source.Stage` of every reply of a conversation.

    Mutable state: the pace of the voice, as it has been learned so far.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.pace = Pace()
        self.limits = Limits()
        self._conversation = conversation

    @property
    def line(self) -> Line:
        return self._conversation.line

    @property
    def strays(self) -> Strays:
        return self._conversation.strays

    @property
    def output(self) -> Output | None:
        return self._conversation.session.speaker

    @property
    def draft_sound(self) -> bool:
        return bool(self._conversation.options["preemptive_generation"]["preemptive_tts"])

    def observe(self, seen: o.Observation) -> None:
        self._conversation.observe(seen)

    def mark(self, kind: str, reply: Reply, **detail: object) -> None:
        self._conversation.mark(kind, reply, **detail)
        if kind == "audible":
            self._conversation.delays.audible(reply)

    def remember(self, reply: Reply, step: Step) -> None:
        """History gets what was heard of a step, once, when it leaves the floor."""
        talk, source = self._conversation, step.source
        talk.session.captions.end(talk.timeline.veil(step.said()))
        if not isinstance(source, Said):
            return
        if _broken(reply):
            source.stop()
        messages = [
            self._message(reply, step, source, name, said.strip())
            for name, said in source.messages(step)
            if said.strip() and source.remembered
        ]
        for message in messages:
            message.interrupted &= message is messages[-1]  # those before it were heard out
            talk.speaking.handle(reply).added(message)
            talk.memory.write(message, source.voice.agent)
        if self.output is None or not reply.interrupted:
            self._remembered(reply, step, messages, 0)
        else:
            self.output.settled(partial(self._remembered, reply, step, messages))

    def _message(
        self, reply: Reply, step: Step, source: Said, name: str, said: str
    ) -> llm.ChatMessage:
        talk = self._conversation
        return llm.ChatMessage(
            id=name,
            role="assistant",
            content=[talk.timeline.veil(said)],
            extra=source.answer.extra,
            interrupted=_broken(reply),
            created_at=talk.memory.wall(_began(step, source)),
            metrics=talk.delays.of_step(step, source.voice.agent),
        )

    def _remembered(
        self, reply: Reply, step: Step, messages: list[llm.ChatMessage], more: int
    ) -> None:
        """Tell of what was heard; an output that reports late may have heard `more` samples."""
        source, veil = step.source, self._conversation.timeline.veil
        if not isinstance(source, Said):
            return
        if more and step.playout is not None:
            step.playout.amend(more)
            heard = dict(source.messages(step))
            for message in messages:
                message.content = [veil(heard[message.id]).strip()]
        for message in messages:
            read = source.read(message.text_content or "")
            self._conversation.written(message, reply, read=read)
        if _broken(reply):
            source.settled(step)
        if messages or "audible" in step.marked:
            self._tell_unheard(reply, step)

    def _tell_unheard(self, reply: Reply, step: Step) -> None:
        """Tell of the words that were made ready, and will not be heard."""
        said, made = step.said(), _written(step)
        if reply.interrupted and made.startswith(said) and made[len(said) :].strip():
            self._conversation.mark("unheard", reply, text=made[len(said) :].strip())

    def caption(self, reply: Reply) -> None:
        captions, veil = self._conversation.session.captions, self._conversation.timeline.veil
        if captions.wanted:
            captions.show(veil(reply.step.said() if captions.in_step else _written(reply.step)))

    def work(self, reply: Reply, step: Step) -> Work:
        return self._conversation.tools.work(reply, step)

    def resting(self) -> None:
        talk = self._conversation
        talk.observe(o.Working(talk.speaking.resting()))
        talk.stir()

    def failed(self, reply: Reply) -> None:
        if reply.error is not None:
            self._conversation.faults.failed(reply.step.at_fault, reply.error, reply)

    def ended(self, reply: Reply) -> None:
        talk, source = self._conversation, reply.step.source
        if _broken(reply) and isinstance(source, Said):
            source.stop()
            if reply.step.granted_at is None:
                source.settled(reply.step)
        talk.speaking.ended(reply)
        talk.stir()
        talk.session.deliver()


def _broken(reply: Reply) -> bool:
    """It was not said to its end."""
    return reply.interrupted or reply.error is not None


def _began(step: Step, source: Said) -> float | None:
    """Since when a message stands in history: a reply from when its turn to speak came, a speech of
    the application's from its first sound, as in LiveKit."""
    sounded = step.marked.get("audible") if source.name == "say" else None
    return step.granted_at if sounded is None else sounded


def _written(step: Step) -> str:
    """All that was written for it so far, heard or not."""
    ledger = step.ledger
    return unmarked("".join(ledger.written if ledger.shown is None else ledger.shown))
