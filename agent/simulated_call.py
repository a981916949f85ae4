"""A simulated call while it runs: the session, its caller, and what they do.

Nothing here runs in a task of its own: what the caller says is a row of timers, and the script is
played by whoever plays it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING, Any

from livekit.agents.tts import TTS

from antiphon.chosen import STAND_INS
from antiphon.nodes.callers import RecordedCaller
from antiphon.nodes.outputs import DEFAULT_RATE
from antiphon.pipeline.errors import UsageError
from antiphon.simulated_acts import GAP, Act, Deed, Leaving, Listening, Pause, Utterance, checked
from antiphon.simulated_caller import CALLER, Caller, Piece, ScriptedSTT, cues, ears
from antiphon.simulated_models import ScriptedTTS, Voice
from antiphon.simulated_moments import PATIENCE, READ, Ear, Moments
from antiphon.simulated_sound import blocks, placed, spoken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from antiphon.agent import Agent
    from antiphon.nodes.wav import Samples
    from antiphon.session import AgentSession


class Call(Moments):
    """A conversation while it runs for its script, and afterwards for the test (see `Notes`).

    `caller` is who speaks to the agent, `voice` the agent's when it is scripted. Mutable state: the
    timers of what is still to happen, and the first failure of the script's own.
    """

    def __init__(
        self,
        *,
        caller: Caller | None = None,
        voice: Voice | None = None,
        rate: int | None = None,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(voice or Voice(), patience)
        self.caller = caller or Caller()
        self.speaker: Ear | None = None
        self.closed_by_agent = False
        self._rate = rate
        self._line: RecordedCaller | None = None
        self._mouth: TTS[Any] | None = None
        self._spoken: dict[str, Samples] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._timetable = 0.0  # when its last act is over
        self._leaving: float | None = None  # when the caller hangs up, by the timetable
        self._failed: Exception | None = None

    # From the beginning to the end.

    async def begin(
        self,
        agent: Agent,
        session: AgentSession[Any],
        stand_ins: Mapping[str, object],
        *,
        aloud: bool = False,
        mouth: TTS[Any] | None = None,
    ) -> None:
        """Start `session` with `agent`, `stand_ins` in place of their models. Where the caller
        speaks `aloud`, there is sound: of a voice, or words where they have a `mouth`."""
        self.agent, self.session = agent, session
        self.start = self._last = self._loop.time()
        CALLER.set(self.caller)
        STAND_INS[session] = stand_ins
        agent_voice = stand_ins.get("tts", agent.tts or session.tts)
        if isinstance(agent_voice, ScriptedTTS):
            self.voice = agent_voice.voice
        if session.output.audio is None:
            rate = agent_voice.sample_rate if isinstance(agent_voice, TTS) else DEFAULT_RATE
            self.rate = self._rate or rate
            self.speaker = Ear(self, self.rate)
            session.output.audio = self.speaker
        self._mouth = mouth
        if aloud and session.input.audio is None:
            session.input.audio = self._line = RecordedCaller()
        self.watch()
        try:
            await session.start(agent)
        except BaseException:
            self.unwatch()
            raise
        self.start = session.timeline.start  # a little later, where time passes by itself
        for record in session.timeline.records:
            self.note(record)
        session.timeline.read(self.note)

    async def play(self, *acts: Act) -> None:
        """Play a script, or more of it; ends with the last act that has no `at=`."""
        checked(acts)
        if self._mouth is not None:
            texts = [p.text for act in acts if isinstance(act, Utterance) for p in act.pieces]
            self._spoken |= await spoken(self._mouth, texts)
        timed = [act for act in acts if act.when.at is not None]
        for act in timed:
            if isinstance(act, Leaving):
                self._leaving = act.when.at
                self._at(act.when.at or 0.0, self._leave)
        for act in timed:
            self._schedule(act)
        for act in acts:
            if act.when.at is None:
                await self._play(act)
        self._raise()

    async def finish(self) -> None:
        """Wait until the timetable is over and the agent has finished, or the caller leaves."""
        if self._leaving is not None:
            await self._pause(self.start + self._leaving)
        elif self._timetable:
            await self._pause(self.start + self._timetable + READ)
        await self._quiet(GAP, "the script was over")
        self._raise()

    async def end(self) -> None:
        """Hang up."""
        self.closed_by_agent = self.over and not self._left
        self._left = True
        for timer in self._timers:
            timer.cancel()
        self.strays = self.session.conversation.strays.names
        await self.session.aclose()
        if self.speaker is not None:
            self.speaker.held()  # what was played until now is noted
        self.ended = self._loop.time() - self.start
        CALLER.set(None)
        self.unwatch()

    # Acts.

    async def _play(self, act: Act) -> None:
        if not await self._comes(act):
            return
        match act:
            case Utterance():
                end, understood = self._utter(act, self._loop.time() - self.start)
                self._speaking = self.start + understood
                await self._pause(self.start + end)
            case Pause():
                await self._pause(self._loop.time() + act.seconds)
            case Leaving():
                self._leave()
            case Deed():
                result = act.do(self)
                if isawaitable(result):
                    await self._done(result, act)  # a Listening has come, and that is all

    async def _done(self, result: Awaitable[object], act: Deed) -> None:
        limit = asyncio.timeout(self.patience)
        try:
            async with limit:
                await result
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._wrong(f"{act} was not done after {self.patience:g} s") from None

    def _schedule(self, act: Act) -> None:
        at = act.when.at or 0.0
        if isinstance(act, Utterance):
            at = max(self._utter(act, at))
        elif isinstance(act, Deed):
            self._at(at, act.do, self)
        self._timetable = max(self._timetable, at)

    def _utter(self, act: Utterance, at: float) -> tuple[float, float]:
        """Say it from `at` seconds of the call on; when it will have been said, and understood."""
        agent = self.session.current_agent
        pieces = placed(act.pieces, self._spoken)
        if self._line is not None:
            self._at(at, self._line.play, blocks(pieces, self._spoken))
        if act.heard is not None:
            pieces = tuple(Piece(act.heard, piece.begin, piece.end) for piece in pieces)
        quick = act.ears or ears(agent.vad, agent.stt)
        recogniser = agent.stt
        whole = isinstance(recogniser, ScriptedSTT) and not recogniser.capabilities.streaming
        reports = cues(pieces, at, quick, whole=whole)
        for cue in reports:
            self._at(cue.at, cue.do, self.caller)
        end = at + pieces[-1].end
        return end, max((cue.at for cue in reports), default=end)

    def _at(self, at: float, do: Callable[..., object], *args: Any) -> None:
        if self._leaving is None or at < self._leaving or do == self._leave:
            timer = self._loop.call_at(self.start + at, partial(self._carry_out, do, *args))
            self._timers.append(timer)

    def _carry_out(self, do: Callable[..., object], *args: Any) -> None:
        try:
            result = do(*args)
            if iscoroutine(result):
                result.close()
                raise UsageError("does(…, at=…) cannot wait: do it without at=, in its place")
        except Exception as error:  # a script's own: raised where it is played
            self._failed = self._failed or error
            self._leave()

    def _leave(self) -> None:
        self._left = True
        self.wake()

    def _raise(self) -> None:
        if self._failed is not None:
            raise self._failed

    async def _comes(self, act: Act) -> bool:
        """Wait for the moment of an act; False when the caller has left before."""
        if not self._left:
            await self._moment(act.when, str(act))
        if self.over and not self._left and not isinstance(act, Leaving | Listening):
            raise self._wrong(f"the agent had hung up before the caller could do {act}")
        return not self._left
