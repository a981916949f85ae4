"""A running session: the shell around the turn machine.

`observe` runs the machine and carries its decisions out synchronously, with no task. Observations
that decisions cause wait in the inbox until those are carried out; the application's event
callbacks run when the inbox is empty. One timer wakes the machine at its deadline.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, assert_never, cast

from livekit.agents import LanguageCode, llm

from antiphon.commits import Commits
from antiphon.delays import Delays
from antiphon.end_of_turn import EndOfTurn
from antiphon.events import ConversationItemAddedEvent, UserInputTranscribedEvent
from antiphon.expressive import Expressive
from antiphon.faults import Faults
from antiphon.hearing import Hearing
from antiphon.idle import Idle
from antiphon.memory import Memory
from antiphon.overlap import Overlap
from antiphon.pipeline import observations as o
from antiphon.pipeline.floor import Line
from antiphon.pipeline.timeline import Timeline
from antiphon.pipeline.turn_table import User
from antiphon.pipeline.turns import Turns
from antiphon.realtime import Realtime
from antiphon.seats import Seats
from antiphon.speaking import Speaking
from antiphon.stage import Stage
from antiphon.states import States
from antiphon.stirring import Stirring
from antiphon.tools import Toolbox
from antiphon.toolsets import Toolsets
from antiphon.turn_limit import TurnLimit
from antiphon.unheard import known
from antiphon.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.agent import Agent
    from antiphon.answers import Answers
    from antiphon.events import EventTypes
    from antiphon.options import Options
    from antiphon.pipeline.left_behind import Strays
    from antiphon.pipeline.reply import Reply
    from antiphon.pipeline.streams import Scope
    from antiphon.pipeline.turn_table import Rules
    from antiphon.session import AgentSession


class Conversation(Stirring):
    """What runs between `start` and `close`. Mutable state: the inbox and the timer."""

    def __init__(
        self, session: AgentSession[Any], agent: Agent, scope: Scope, strays: Strays
    ) -> None:
        super().__init__()
        self.session = session
        self.strays = strays
        self.options = self._options(agent)
        self.recognisers = (
            itertools.count()
        )  # numbers, each for one that makes words of what is heard
        self.realtime = Realtime(self, scope)
        self.line = Line(self.observe, session.options.gap(agent))
        self.overlap = Overlap(self, scope)
        self.machine = Turns(self._rules(agent))
        self._loop = asyncio.get_running_loop()
        self.memory = Memory(session)
        self.timeline = Timeline(self._loop.time())
        self.states = States(self)
        self.hearing = Hearing(agent, self, scope)
        self.seats = Seats(self, scope, agent)
        self.stage = Stage(self)
        self.speaking = Speaking(self, scope)
        self.idle = Idle(self)
        self.tools = Toolbox(self, scope)
        self.toolsets = Toolsets(self, scope)
        self.delays = Delays(self)
        self.faults = Faults(self)
        self.commits = Commits(self)
        self.limit = TurnLimit(self, scope)
        self.end_of_turn = EndOfTurn(self, scope)
        self.usage = Usage(self, scope)
        self.expressive = Expressive()
        self._inbox: deque[o.Observation] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def answers(self) -> Answers:
        """The user's turns on their way to the agent in charge."""
        return self.seats.answers

    @property
    def agent(self) -> Agent:
        """The agent in charge."""
        return self.seats.answers.agent

    def follow(self, agent: Agent) -> None:
        """Hear with that agent's ears from now on, and by its rules."""
        if self.machine.user is User.CLOSED:
            return  # a task that was awaited unwinds; nobody is heard any more
        self.obey(agent)
        self.hearing.follow(agent)
        self.usage.follow(agent._models_in_use)

    def obey(self, agent: Agent) -> None:
        """Go by the options as they are now."""
        self.options = self._options(agent)
        self.overlap.follow()
        self.realtime.follow(agent)
        self.machine.rules = self._rules(agent)
        self.line.gap = self.session.options.gap(agent)
        self.expressive.check(agent)
        self.end_of_turn.follow()
        self._set_timer()

    def learn_rules(self) -> None:
        """Something that the rules go by has changed."""
        self.machine.rules = self._rules(self.agent)
        self._set_timer()

    def _rules(self, agent: Agent) -> Rules:
        rules = self.session.options.rules(self.options, agent)
        rules = replace(rules, judged_after=self.overlap.after)
        return self.realtime.rules(rules, agent, self.options)

    def _options(self, agent: Agent) -> Options:
        return self.session.options.in_force(agent)

    # The machine.

    def observe(self, seen: o.Observation) -> None:
        """Tell the machine, and do what it decides."""
        self._inbox.append(seen)
        if len(self._inbox) > 1:
            return  # its decisions are being carried out; this one comes after them

        now = self._loop.time()
        while self._inbox:
            try:
                self._observe(self._inbox[0], now)
            finally:
                self._inbox.popleft()
        self._set_timer()
        self.stir()
        self.session.deliver()

    @property
    def deciding(self) -> bool:
        """Decisions are being carried out: the application's callbacks must wait."""
        return bool(self._inbox)

    def _observe(self, seen: o.Observation, now: float) -> None:
        if isinstance(seen, o.Tick):
            now = max(now, seen.deadline)  # a timer may be some microseconds early
        else:
            self.timeline.note(now, seen, None, self._holder_number())
        self.delays.note(seen, now)
        if isinstance(seen, o.Transcript):
            self.faults.understood()
            if seen.final and known(seen.text):
                self._loop.call_soon(self.limit.heard, seen.text, now)
        elif isinstance(seen, o.Audible):
            self.faults.recovered("llm")
            self.faults.recovered("tts")
            self.limit.agent_speaks()
        committed = ""
        for decision in self.machine.observe(seen, now):
            self.timeline.note(now, decision, self.delays.turn_of(decision), self._holder_number())
            try:
                self._carry_out(decision, now)
            except Exception as error:  # what is foreign in it must not make the session deaf
                self.faults.failed("session", error)
            self.overlap.note(decision)
            committed = known(decision.text) if isinstance(decision, o.Commit) else committed
        self.end_of_turn.note(seen)
        self.realtime.ears.note(seen)
        if not self.machine.committing:
            self.commits.settle(committed)

    def _carry_out(self, decision: o.Decision, now: float) -> None:
        match decision:
            case o.Draft():
                self.answers.draft(decision.text)
            case o.Drop():
                self.answers.drop()
            case o.Commit():
                self.answers.commit(decision)
            case o.Keep():
                if text := known(decision.text):
                    self.realtime.ears.kept()
                    self.write(self.memory.user_message(text), self.agent)
            case o.Pause() | o.Resume() | o.Cut():
                self._to_reply(decision, now)
            case o.Flush():
                self.hearing.flush()
            case o.Unrecognised():
                self.faults.unrecognised(
                    decision.seconds, self.delays.last_voice - decision.seconds
                )
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
                self.delays.stopping(reply, now)
                reply.pause()
            case o.Resume():
                reply.resume()
                playout = reply.step.playout
                if playout is not None and playout.audible and not decision.held_by_turn:
                    self.states.resumed()
            case o.Cut():
                self.delays.stopping(reply, now)
                reply.cut()

    def _set_timer(self) -> None:
        deadline = self.machine.deadline
        if self._timer is not None:
            if self._timer.when() == deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._tick, deadline)

    def _tick(self, deadline: float) -> None:
        self._timer = None
        self.observe(o.Tick(deadline))

    def stir(self) -> None:
        self.idle.note()
        super().stir()

    # Turns and history.

    def mark(self, kind: str, reply: Reply | None, **detail: object) -> None:
        """Add to the timeline what happens now, to that reply or to none."""
        number, turn = (reply.number, reply.turn) if reply else (None, None)
        self.timeline.mark(self._loop.time(), kind, turn, number, **detail)

    def next_turn(self) -> int:
        """Number the turn that was just committed."""
        return self.delays.next_turn(self._loop.time())

    def hook_started(self, turn: int) -> None:
        """on_user_turn_completed begins for that turn."""
        self.delays.hooking(turn, self._loop.time())
        self.mark("hook_started", None, hook_of=turn)

    def hook_ended(self, turn: int) -> None:
        """on_user_turn_completed is done with that turn; its time is part of the delay."""
        self.delays.hooked(turn, self._loop.time())
        self.mark("hook_ended", None, hook_of=turn)

    def write(self, item: llm.ChatMessage, agent: Agent, turn: int | None = None) -> None:
        """Write into history, and tell of it; the words of a `turn` of the user's, perhaps."""
        self.written(cast("llm.ChatMessage", self.memory.write(item, agent)), None, turn)

    def written(
        self,
        item: llm.ChatMessage,
        reply: Reply | None,
        turn: int | None = None,
        read: str | None = None,
    ) -> None:
        """Tell of what history has now; `read`: its text, where some of that is not to be read."""
        number, turn = (reply.number, reply.turn) if reply else (None, turn)
        text = (item.text_content or "") if read is None else read
        said = {"role": item.role, "text": text, "interrupted": item.interrupted}
        self.timeline.mark(self._loop.time(), "message", turn, number, **said)
        self.tell("conversation_item_added", ConversationItemAddedEvent, item=item)
        self.session.deliver()

    def close(self) -> None:
        """Cut everything and write what is still to be written; no timer stays."""
        self.idle.close()
        self.speaking.close()
        self.line.close()
        self.seats.close()
        self.realtime.ears.finish()
        self.commits.settle("")
        self.states.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Telling.

    def tell(self, name: EventTypes, kind: Callable[..., object], **fields: object) -> None:
        """Report an event of this moment; `created_at` may say another."""
        self.session.report(name, kind, **{"created_at": self.memory.wall(), **fields})

    def transcribed(
        self, text: str, *, final: bool, language: str | None, item: str | None = None
    ) -> None:
        self.states.heard_words(final=final)
        code, text = LanguageCode(language) if language else None, self.timeline.veil(text)
        words = {"is_final": final, "language": code, "transcript": text, "item_id": item}
        self.tell("user_input_transcribed", UserInputTranscribedEvent, **words)

    def _holder_number(self) -> int | None:
        holder = self.speaking.with_gen(self.machine.gen)
        return holder.number if holder else None
