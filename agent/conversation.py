"""A running session: the shell around the turn machine.

`observe` runs the machine and carries its decisions out synchronously, with no task. Observations
that decisions cause wait in the inbox until those are carried out; the application's event
callbacks run when the inbox is empty. One timer wakes the machine at its deadline.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, assert_never, cast

from livekit.agents import LanguageCode, llm

from antiphon import options
from antiphon.answers import Answers
from antiphon.events import (
    ConversationItemAddedEvent,
    UserInputTranscribedEvent,
    UserTranscriptionTimeoutEvent,
    error_event,
)
from antiphon.hearing import Hearing
from antiphon.memory import Memory
from antiphon.pipeline import observations as o
from antiphon.pipeline.errors import NodeError
from antiphon.pipeline.floor import Line
from antiphon.pipeline.pace import Pace
from antiphon.pipeline.source import Limits
from antiphon.pipeline.timeline import Timeline, delays
from antiphon.pipeline.turns import Turns
from antiphon.sources import Said
from antiphon.speaking import Speaking
from antiphon.states import States

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import TurnHandlingOptions

    from antiphon.agent import Agent
    from antiphon.events import EventTypes
    from antiphon.pipeline.playout import Output
    from antiphon.pipeline.reply import Reply
    from antiphon.pipeline.streams import Scope, Strays
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.turn")

MODELS: Final = ("stt", "llm", "tts")

SPOKEN: Final = 0.5  # seconds of voice that must have held words
MUTE: Final = 3  # such utterances in a row without a word: the recogniser is reported


class Conversation:
    """What runs between `start` and `close`; the `Stage` of every reply.

    Mutable state: the inbox, the timer, the marks of the turns, and the failures in a row.
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
        self.memory = Memory(session, agent)
        self.timeline = Timeline(self._loop.time())
        self.states = States(self)
        self.hearing = Hearing(agent, self, scope)
        self.answers = Answers(self, scope)
        self.speaking = Speaking(self, scope)
        self._inbox: deque[o.Observation] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._turns = 0
        self._voice_at = self._detected_at = 0.0  # when the user's voice began, and was noticed
        self._marks: dict[str, float] = {}  # of the turn that is being spoken
        self._turn_marks: dict[int, dict[str, float]] = {}
        self._failures: dict[str, int] = {}
        self._mute_utterances = 0  # in a row, without a word from the recogniser
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
                self.write(self.memory.user_message(decision.text))
            case o.Pause() | o.Resume() | o.Cut():
                self._to_reply(decision, now)
            case o.Flush():
                self.hearing.flush()
            case o.Unrecognised():
                self._unrecognised(decision.seconds)
            case o.UserIs():
                self.states.user_is(decision.state, decision.since)
            case o.AgentIs():
                self.states.agent_is(decision.state)
            case _:
                assert_never(decision)

    def _to_reply(self, decision: o.Pause | o.Resume | o.Cut, now: float) -> None:
        reply = self.speaking.with_gen(decision.gen)
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

    def mark(self, kind: str, reply: Reply | None, **detail: object) -> None:
        number, turn = (reply.number, reply.turn) if reply else (None, None)
        self.timeline.mark(self._loop.time(), kind, turn, number, **detail)
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
            created_at=self.memory.wall(reply.granted_at),
        )
        self.session.captions.end(said)
        self.speaking.handle(reply).chat_items.append(message)
        self.memory.write(message)
        if self.output is None or not reply.interrupted:
            self._remembered(reply, message, 0)
        else:
            self.output.settled(partial(self._remembered, reply, message))

    def _remembered(self, reply: Reply, message: llm.ChatMessage, more: int) -> None:
        """Tell of a message; an output that reports late may have heard `more` samples of it."""
        if more and reply.step.playout is not None:
            reply.step.playout.amend(more)
            message.content = [reply.said().strip()]
        self._written(message, reply)

    def caption(self, reply: Reply) -> None:
        if self.session.captions.wanted:
            self.session.captions.show(reply.said())

    def ended(self, reply: Reply) -> None:
        if reply.error is not None and reply.confirmed:
            self.failed(reply.at_fault, reply.error, reply)
        self.speaking.ended(reply)
        self.session.deliver()

    # Turns and history.

    def next_turn(self) -> int:
        """Number the turn that was just committed; its marks so far are now its own."""
        self._turns += 1
        self._marks["committed"] = self._loop.time()
        self._turn_marks[self._turns] = self._marks
        self._marks = {}
        return self._turns

    def hook_ended(self, turn: int) -> None:
        """on_user_turn_completed is done with that turn; its time is part of the delay."""
        self._turn_marks[turn]["hooked"] = self._loop.time()
        self.mark("hook_ended", None, hook_of=turn)

    def commit_turn(self, timeout: float, *, answer: bool) -> asyncio.Future[str]:
        """End the user's turn; the future gets its text."""
        committed: asyncio.Future[str] = self._loop.create_future()
        self._commits.append(committed)
        self.observe(o.CommitNow(timeout, answer))
        return committed

    def write(self, item: llm.ChatMessage) -> None:
        """Write into history, and tell of it."""
        self.memory.write(item)
        self._written(item, None)

    def _written(self, item: llm.ChatMessage, reply: Reply | None) -> None:
        text, cut = item.text_content or "", item.interrupted
        self.mark("message", reply, role=item.role, text=text, interrupted=cut)
        self.tell("conversation_item_added", ConversationItemAddedEvent, item=item)
        self.session.deliver()

    def close(self) -> None:
        """Cut everything and write what is still to be written; no timer stays."""
        self.speaking.close()
        self.answers.close()
        for commit in self._commits:
            commit.cancel()
        self.states.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Marks and errors.

    def tell(self, name: EventTypes, kind: Callable[..., object], **fields: object) -> None:
        """Report an event of this moment; `created_at` may say another."""
        self.session.report(name, kind, **{"created_at": self.memory.wall(), **fields})

    def transcribed(self, text: str, *, final: bool, language: str | None) -> None:
        self.states.heard_words(final=final)
        code = LanguageCode(language) if language else None
        words: dict[str, object] = {"transcript": text, "is_final": final, "language": code}
        self.tell("user_input_transcribed", UserInputTranscribedEvent, **words)

    def failed(self, source: str, error: Exception, reply: Reply | None = None) -> None:
        """One clear event; too many in a row end the session."""
        self.mark("error", reply, source=source, message=str(error) or type(error).__name__)
        logger.warning("%s: %s: %s", source, type(error).__name__, error)
        logger.debug("%s", source, exc_info=error)
        if source in MODELS:  # what the application's own code does wrong ends no session
            self._failures[source] = self._failures.get(source, 0) + 1
        event = error_event(source, error, self.agent)
        self.session.report("error", lambda: event)
        if self._failures.get(source, 0) > self.session.conn_options.max_unrecoverable_errors:
            self.session.give_up(event.error)

    def _unrecognised(self, seconds: float) -> None:
        """The user was not understood; when that goes on, the recogniser does not answer."""
        if seconds < SPOKEN or not self.hearing.recognises:
            return
        since = self.memory.wall(self._voice_at)
        missed: dict[str, object] = {"speech_duration": seconds, "vad_speech_started_at": since}
        self.tell("user_transcription_timeout", UserTranscriptionTimeoutEvent, **missed)
        self._mute_utterances += 1
        if self._mute_utterances % MUTE == 0:
            why = f"stt_node gave nothing for the last {self._mute_utterances} utterances"
            self.failed("stt", NodeError(why))

    def recovered(self, source: str) -> None:
        self._failures.pop(source, None)

    def _holder_number(self) -> int | None:
        holder = self.speaking.with_gen(self.machine.gen)
        return holder.number if holder else None

    def _note_marks(self, seen: o.Observation, now: float) -> None:
        """Remember what the delay of the turn is made of."""
        match seen:
            case o.VoiceStarted():
                self._voice_at, self._detected_at = seen.at, now
            case o.VoiceStopped():
                self._marks["last_voice"] = seen.at
            case o.Transcript():
                self._mute_utterances = 0
                self._marks["transcribed"] = now
                self._marks.setdefault("last_voice", now)
            case o.Audible():
                self.recovered("llm")
                self.recovered("tts")


def _interim_results(agent: Agent) -> bool:
    return agent.stt is None or agent.stt.capabilities.interim_results is not False
