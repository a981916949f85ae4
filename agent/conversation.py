"""A running session: the shell around the turn machine.

`observe` runs the machine and carries its decisions out synchronously, with no task. Observations
that decisions cause wait in the inbox until those are carried out; the application's event
callbacks run when the inbox is empty. One timer wakes the machine at its deadline.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, assert_never, cast

from livekit.agents import NOT_GIVEN, ModelSettings, NotGivenOr, llm

from antiphon import options
from antiphon.answers import Answers
from antiphon.events import error_event
from antiphon.hearing import Hearing
from antiphon.pipeline import observations as o
from antiphon.pipeline.floor import Line
from antiphon.pipeline.interruption import invites_answer
from antiphon.pipeline.ledger import Pace
from antiphon.pipeline.observations import Kind
from antiphon.pipeline.reply import Reply
from antiphon.pipeline.source import Limits
from antiphon.pipeline.timeline import Timeline, delays
from antiphon.pipeline.turns import Turns
from antiphon.sources import Generated, Said, Voice
from antiphon.speech import SpeechHandle
from antiphon.states import States

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import TurnHandlingOptions

    from antiphon.agent import Agent
    from antiphon.pipeline.playout import Output
    from antiphon.pipeline.streams import Scope, Strays
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.turn")


class Conversation:
    """What runs between `start` and `close`; the `Stage` of every reply.

    Mutable state: the inbox, the timer, the replies that live, and the turn's marks.
    """

    def __init__(
        self, session: AgentSession[Any], agent: Agent, scope: Scope, strays: Strays
    ) -> None:
        self.session = session
        self.agent = agent
        self.strays = strays
        self.options = options.resolve(
            cast("TurnHandlingOptions", session.options), agent.turn_handling
        )
        self.pace = Pace()
        self.limits = Limits()
        self.draft_sound = bool(self.options["preemptive_generation"]["preemptive_tts"])
        self.line = Line(self.observe)
        self.machine = Turns(options.rules(self.options, interim_results=_interim_results(agent)))
        self._loop = asyncio.get_running_loop()
        self._wall = time.time() - self._loop.time()
        self.timeline = Timeline(self._loop.time())
        self.states = States(self)
        self.hearing = Hearing(agent, self, scope)
        self.answers = Answers(self, scope)
        self._scope = scope
        self._inbox: deque[o.Observation] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._replies: dict[Reply, SpeechHandle] = {}
        self._speeches = 0
        self._turns = 0
        self._voice_at = self._detected_at = 0.0  # when the user's voice began, and was noticed
        self._marks: dict[str, float] = {}  # of the turn that is being spoken
        self._turn_marks: dict[int, dict[str, float]] = {}
        self._failures: dict[str, int] = {}
        self._commits: list[asyncio.Future[str]] = []

    # The machine.

    def observe(self, seen: o.Observation) -> None:
        """Tell the machine, and do what it decides."""
        self._inbox.append(seen)
        if len(self._inbox) > 1:
            return  # its decisions are being carried out; this one comes after them

        now = self._loop.time()
        while self._inbox:
            self._observe(self._inbox[0], now)
            self._inbox.popleft()
        self._set_timer()
        self.session.deliver()

    @property
    def deciding(self) -> bool:
        """Decisions are being carried out: the application's callbacks must wait."""
        return bool(self._inbox)

    def _observe(self, seen: o.Observation, now: float) -> None:
        if isinstance(seen, o.Tick):
            now = max(now, self.machine.deadline or now)
        else:
            self.timeline.note(now, seen, None, self._holder_number())
        self._note_marks(seen, now)
        committed = ""
        for decision in self.machine.observe(seen, now):
            self.timeline.note(now, decision, None, self._holder_number())
            self._carry_out(decision, now)
            committed = decision.text if isinstance(decision, o.Commit) else committed
        if self._commits and not self.machine.committing:
            commits, self._commits = self._commits, []
            for commit in commits:
                if not commit.done():
                    commit.set_result(committed)

    def _carry_out(self, decision: o.Decision, now: float) -> None:
        match decision:
            case o.Draft():
                self.answers.draft(decision.text)
            case o.Drop():
                self.answers.drop()
            case o.Commit():
                self.answers.commit(decision)
            case o.Keep():
                self.add_item(self.user_message(decision.text))
            case o.Pause() | o.Resume() | o.Cut():
                self._to_reply(decision, now)
            case o.Flush():
                self.hearing.flush()
            case o.UserIs():
                self.states.user_is(decision.state, decision.since)
            case o.AgentIs():
                self.states.agent_is(decision.state)
            case _:
                assert_never(decision)

    def _to_reply(self, decision: o.Pause | o.Resume | o.Cut, now: float) -> None:
        reply = next((r for r in self._replies if r.gen == decision.gen), None)
        if reply is None:
            return
        match decision:
            case o.Pause():
                self._stopping(reply, now)
                reply.pause()
            case o.Resume():
                reply.resume()
                if reply.step.playout is not None and reply.step.playout.audible:
                    self.states.resumed()
            case o.Cut():
                self._stopping(reply, now)
                reply.cut()

    def _stopping(self, reply: Reply, now: float) -> None:
        """Say how long it took until the agent was silent, when it is the user who stops it."""
        playout = reply.step.playout
        if playout is not None and playout.sounding and self.states.user == "speaking":
            voice, detection = now - self._voice_at, now - self._detected_at
            self.mark("stopped", reply, voice=voice, detection=detection)

    def _set_timer(self) -> None:
        deadline = self.machine.deadline
        if self._timer is not None:
            if self._timer.when() == deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.observe(o.Tick())

    # What replies ask for (`Stage`).

    @property
    def output(self) -> Output | None:
        return self.session.speaker

    def mark(self, kind: str, reply: Reply | None, *, turn: int | None = None, **more: Any) -> None:
        number = reply.number if reply else None
        turn = reply.turn if reply and turn is None else turn
        self.timeline.mark(self._loop.time(), kind, turn, number, **more)
        if kind == "audible" and reply is not None and reply.turn in self._turn_marks:
            marks = {**self._turn_marks.pop(reply.turn), **reply.step.marked}
            parts = {name: us / 1e6 for name, us in delays(marks["last_voice"], marks).items()}
            total = round(sum(parts.values()), 6)
            self.mark("delay", reply, parts=parts, total=total)
            logger.info("turn %s answered after %.3f s", reply.turn, total)

    def remember(self, reply: Reply, said: str) -> None:
        """History gets what was heard of a reply, once, when it leaves the floor."""
        source = reply.source
        if not (said.strip() and isinstance(source, Said) and source.remembered):
            self.session.captions.end(said)
            return
        message = llm.ChatMessage(
            role="assistant",
            content=[said.strip()],
            interrupted=reply.interrupted or reply.error is not None,
            created_at=self.wall(reply.granted_at or self._loop.time()),
        )
        self.session.captions.end(said)
        self._replies[reply].chat_items.append(message)
        self.add_item(message, reply)

    def caption(self, reply: Reply) -> None:
        if self.session.captions.wanted:
            self.session.captions.show(reply.said())

    def ended(self, reply: Reply) -> None:
        handle = self._replies.pop(reply, None)
        if reply.error is not None and reply.confirmed:
            self.failed("reply", reply.error, reply)
        if handle is not None:
            handle._settle()

    # Speaking.

    def speak(self, source: Said, kind: Kind, *, turn: int | None = None) -> SpeechHandle:
        """Have a reply stand in line."""
        reply, handle = self._new_reply(source, kind, turn)
        reply.confirm()
        self.session.deliver()
        return handle

    def prepare(self, message: llm.ChatMessage) -> Reply:
        """A draft: an answer to a message that is not in history yet."""
        context = self.context()
        context.items.append(message)
        return self._new_reply(self.generated(lambda: context, "answer"), Kind.ANSWER, None)[0]

    def answer(self, turn: int, context: Callable[[], llm.ChatContext] | None) -> SpeechHandle:
        """Answer a turn that is in history, or a context that a hook has changed."""
        source = self.generated(context or self.context, "answer")
        return self.speak(source, self.kind(Kind.ANSWER, NOT_GIVEN), turn=turn)

    def generated(
        self,
        context: Callable[[], llm.ChatContext],
        name: str,
        settings: ModelSettings | None = None,
    ) -> Generated:
        tools = [tool for tool in self.agent.tools if not isinstance(tool, llm.Toolset)]
        return Generated(self.voice(settings), context, tools, name=name)

    def voice(self, settings: ModelSettings | None = None) -> Voice:
        """How the current agent speaks now."""
        output, session = self.output, self.session
        rate = output.rate if output else 1
        return Voice(self.agent, settings or ModelSettings(), rate, session.polish, session.chunker)

    def kind(self, kind: Kind, allow_interruptions: NotGivenOr[bool]) -> Kind:
        """PROTECTED where interruptions are not allowed, here or by the session's options."""
        allowed = self.options["interruption"]["enabled"]
        if allow_interruptions is not NOT_GIVEN:
            allowed = allow_interruptions
        return kind if allowed else Kind.PROTECTED

    def protect(self, reply: Reply, protected: bool) -> None:
        reply.kind = Kind.PROTECTED if protected else Kind.SPEECH
        if reply.gen is not None:
            self.line.rename(reply.gen, reply.kind)
            self.observe(o.Protect(reply.gen, protected))

    def interrupt(self, reply: Reply, *, force: bool) -> None:
        """End one reply, wherever it is."""
        holder = self.line.holder
        if holder is not None and holder.gen == reply.gen:
            self.observe(o.Interrupt(force))
        else:
            reply.cut()
            self.session.deliver()

    def interrupt_all(self, *, force: bool) -> None:
        """End the current speech and those behind it, up to the first protected one."""
        self.answers.drop()
        speeches = self.speeches()
        if speeches and speeches[0][0].kind is Kind.PROTECTED and not force:
            raise RuntimeError("the current speech does not allow interruptions; pass force=True")
        for reply, _ in reversed(speeches):
            if force or reply.kind is not Kind.PROTECTED:
                self.interrupt(reply, force=force)

    def commit_turn(self, timeout: float, *, reply: bool) -> asyncio.Future[str]:
        """End the user's turn; the future gets its text."""
        committed: asyncio.Future[str] = self._loop.create_future()
        self._commits.append(committed)
        self.observe(o.CommitNow(timeout, reply))
        return committed

    def close(self) -> None:
        """Cut everything and write what is still to be written; no timer stays."""
        for reply, _ in reversed(self.speeches()):
            reply.cut()
        self.answers.close()
        for reply in list(self._replies):
            reply.cut()
        for commit in self._commits:
            commit.cancel()
        self.states.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def speeches(self) -> list[tuple[Reply, SpeechHandle]]:
        """The replies that stand in line or speak, first the one that has the floor."""
        confirmed = [pair for pair in self._replies.items() if pair[0].gen is not None]
        return sorted(confirmed, key=lambda pair: pair[0].gen or 0)

    def invites_answer(self) -> bool:
        """Would "yes" now be an answer to what the agent is saying?"""
        for reply, _ in self.speeches():
            if self.line.holder is not None and reply.gen == self.line.holder.gen:
                remaining = reply.remaining()
                said = (
                    "" if remaining is math.inf and not reply.step.ledger.queued else reply.said()
                )
                return invites_answer(said, remaining)
        return False

    def _new_reply(self, source: Said, kind: Kind, turn: int | None) -> tuple[Reply, SpeechHandle]:
        self._speeches += 1
        reply = Reply(self._speeches, kind, source, self, turn=turn)
        handle = SpeechHandle(reply, self, f"speech_{self._speeches}")
        self._replies[reply] = handle
        self.mark("reply_started", reply, source=source.name)
        reply.start(self._scope)
        return reply, handle

    # History.

    def wall(self, loop_time: float) -> float:
        """A loop time as seconds since the epoch."""
        return self._wall + loop_time

    def user_message(self, text: str) -> llm.ChatMessage:
        now = self.wall(self._loop.time())
        return llm.ChatMessage(role="user", content=[text], created_at=now)

    def add_item(self, item: llm.ChatMessage, reply: Reply | None = None) -> None:
        """Write into both histories, and tell the application."""
        self.agent._chat_ctx.insert(item)
        self.session.history.insert(item)
        self.mark(
            "message",
            reply,
            role=item.role,
            text=item.text_content or "",
            interrupted=item.interrupted,
        )
        self.session.report_item(item)

    def context(self) -> llm.ChatContext:
        """What the model is to know now: the instructions and this agent's history."""
        context = self.agent.chat_ctx
        system = llm.ChatMessage(
            role="system", content=[self.agent.instructions], id=INSTRUCTIONS, created_at=0.0
        )
        context.items[:] = [system, *(i for i in context.items if i.id != INSTRUCTIONS)]
        return context

    def asking(
        self, instructions: NotGivenOr[str], chat_ctx: NotGivenOr[llm.ChatContext]
    ) -> Callable[[], llm.ChatContext]:
        """The context of a reply with instructions of its own, as it is when the model is called."""

        def context() -> llm.ChatContext:
            found = chat_ctx.copy() if isinstance(chat_ctx, llm.ChatContext) else self.context()
            if instructions:
                system = next((i for i in found.items if i.id == INSTRUCTIONS), None)
                if isinstance(system, llm.ChatMessage):
                    system.content = [f"{system.text_content}\n{instructions}"]
                else:
                    found.add_message(role="system", content=str(instructions), created_at=0.0)
            return found

        return context

    def next_turn(self) -> int:
        self._turns += 1
        self._marks["committed"] = self._loop.time()
        self._turn_marks[self._turns] = self._marks
        self._marks = {}
        return self._turns

    # Marks and errors.

    def transcribed(self, text: str, *, final: bool, language: str | None) -> None:
        self.states.heard_words(final=final)
        self.session.report_words(text, final, language)

    def failed(self, source: str, error: Exception, reply: Reply | None = None) -> None:
        """One clear event; too many in a row end the session."""
        self.mark("error", reply, source=source, message=str(error) or type(error).__name__)
        logger.warning("%s: %s: %s", source, type(error).__name__, error)
        logger.debug("%s", source, exc_info=error)
        self._failures[source] = self._failures.get(source, 0) + 1
        event = error_event(source, error, self.agent)
        self.session.report("error", event)
        if self._failures[source] > self.session.conn_options.max_unrecoverable_errors:
            self.session.give_up(event.error)

    def recovered(self, source: str) -> None:
        self._failures.pop(source, None)

    def _holder_number(self) -> int | None:
        if self.line.holder is None:
            return None
        return next((r.number for r in self._replies if r.gen == self.machine.gen), None)

    def _note_marks(self, seen: o.Observation, now: float) -> None:
        """Remember what the delay of the turn is made of."""
        match seen:
            case o.VoiceStarted():
                self._voice_at, self._detected_at = seen.at, now
            case o.VoiceStopped():
                self._marks["last_voice"] = seen.at
            case o.Transcript():
                self._marks["transcribed"] = now
                self._marks.setdefault("last_voice", now)
            case o.Audible():
                self.recovered("reply")


INSTRUCTIONS: Final = "lk.agent_task.instructions"  # LiveKit's id for that message


def _interim_results(agent: Agent) -> bool:
    return agent.stt is None or agent.stt.capabilities.interim_results is not False
