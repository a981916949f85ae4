"""From `start` to `close`: the session's own task, its scope, and the order things end in."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from livekit.agents import CloseReason, llm

from antiphon.context import INSIDE
from antiphon.conversation import Conversation
from antiphon.events import CloseEvent, error_event
from antiphon.expect import RunResult
from antiphon.ivr import Menu
from antiphon.nodes.adapted import Adapted
from antiphon.nodes.local import honesty
from antiphon.nodes.outputs import DEFAULT_RATE, Speaker
from antiphon.pipeline import observations as o
from antiphon.pipeline.left_behind import STRAYS, Strays
from antiphon.pipeline.reply import SPEAKING
from antiphon.pipeline.streams import Scope
from antiphon.room import RoomIO
from antiphon.sight import Sight

if TYPE_CHECKING:
    from livekit import rtc
    from livekit.agents import io

    from antiphon.agent import Agent
    from antiphon.pipeline.playout import Output
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.session")


LAST_EXIT: Final = 10.0  # seconds on_exit may take when the session closes
LAST_REPORT: Final = 0.5  # seconds an output has to say how much of what was cut it played


class Place(Protocol):
    """Where a session is held: what gives it its input and output when it starts."""

    def attach(self, session: AgentSession[Any]) -> None: ...


CONSOLE: ContextVar[Place | None] = ContextVar("antiphon.console", default=None)
"""The console that sessions started here belong to."""


class Run:
    """One run of a session. Mutable state: the output in use and the closing, once it began."""

    def __init__(self, session: AgentSession[Any], agent: Agent) -> None:
        self.strays = Strays()
        STRAYS.set(self.strays)
        self._speaker: Output | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._session = session
        self._agent = agent
        self._scope = Scope("session", self.strays)
        self._last = Scope("session", self.strays)  # of the task that closes the other one
        self._source: io.AudioInput | None = None
        self._sink: io.AudioOutput | None = None
        self._adapted: Adapted | None = None  # what the last foreign sink is written through
        self._closing: asyncio.Task[None] | None = None
        self._hurried: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.room_io: RoomIO | None = None
        agent._join_session(session)
        self.conversation = Conversation(session, agent, self._scope, self.strays)
        self.sight = Sight(session, self._scope)

    async def start(self, room: rtc.Room | None, *, capture: bool) -> RunResult[None] | None:
        """Begin; the result is what comes of the beginning, once that is over, if it is wanted."""
        if not capture:
            await self._begin(room)
            return None
        result: RunResult[None] = RunResult()
        with self.conversation.speaking.runs.capturing(result):
            await self._begin(room)
        return await result

    async def _begin(self, room: rtc.Room | None) -> None:
        talk = self.conversation
        talk.mark("session_started", None)
        if (console := CONSOLE.get()) is not None:
            console.attach(self._session)
        elif room is not None:
            await self._enter(room)
        self.attach()
        talk.expressive.check(self._agent)
        self._session.captions.start(self._scope)
        await talk.toolsets.open(self._agent)
        if self._closing is not None:
            return  # it was closed before it began
        self._prewarm()
        talk.usage.follow(self._agent._models_in_use)
        talk.realtime.follow(self._agent)
        talk.hearing.start()
        talk.end_of_turn.follow()
        if self._session.options.ivr_detection:
            Menu(self._session)
        talk.overlap.follow()
        talk.learn_rules()
        talk.seats.seated(None, self._agent)
        talk.states.agent_is("listening")
        self._session.deliver()
        await asyncio.sleep(0)  # what on_enter says first is in line before anything else

    async def _enter(self, room: rtc.Room) -> None:
        self.room_io = RoomIO(self._session, room, options=self._session.room_options)
        try:
            await self.room_io.start()
        except Exception as error:  # there is nobody to talk with
            await self.close(CloseReason.ERROR, error)
            raise

    def _prewarm(self) -> None:
        """Let the models open what they can before the first turn needs it."""
        for line in honesty(*self._agent._models_in_use):
            logger.info("%s", line)
        for model in (self._agent.stt, self._agent.tts, self._agent.llm):
            if not isinstance(model, llm.RealtimeModel | None):
                try:
                    model.prewarm()
                except Exception as error:
                    logger.warning("%s could not prepare: %s", model.label, error)

    def attach(self) -> None:
        """Use the session's input and output as they are now."""
        source = self._session.input.audio
        if source is not self._source:
            if self._source is not None:
                self.conversation.hearing.cease()
            self._source = source
            self.conversation.hearing.attach(source)
        self.sight.attach(self._session.input.video)
        sink = self._session.output.audio
        if sink is not self._sink:
            begun = self.conversation.delays.begun
            if self._sink is not None:
                self._sink.off("playback_started", begun)
            if sink is not None:
                sink.on("playback_started", begun)
            self._sink = sink
            self._speaker = self._adapt(sink)

    @property
    def speaker(self) -> Output | None:
        """Where sound goes now; nowhere while it is switched off."""
        return self._speaker if self._session.output.audio_enabled else None

    def shutdown(
        self,
        *,
        drain: bool,
        reason: CloseReason = CloseReason.USER_INITIATED,
        error: object = None,
    ) -> None:
        if self._closing is None:
            self._closing = self._last.start("shutdown", self._shut(drain, reason, error))
        elif not drain and not self._hurried.done():
            self._hurried.set_result(None)

    async def _shut(self, drain: bool, reason: CloseReason, error: object) -> None:
        SPEAKING.set(None)  # whoever asked for it: this task waits for them too
        INSIDE.set(None)
        if drain:
            self.conversation.speaking.draining = True
            draining = self._last.start("drain", self.drain())
            ends = asyncio.FIRST_COMPLETED
            await asyncio.wait([draining, self._hurried], return_when=ends)
            draining.cancel()
            self.conversation.speaking.draining = False  # on_exit has the last word
        await self._close(reason, error)

    async def drain(self) -> None:
        talk = self.conversation
        inside = INSIDE.get()  # a hook's own turn is not over before the hook is
        talk.speaking.draining = True
        try:
            while (
                (talk.answers.busy and inside is None)
                or talk.speaking.unfinished()
                or talk.tools.due
            ):
                await talk.moved()
                await asyncio.sleep(0)  # what follows from it is in line before it is looked for
        finally:
            talk.speaking.draining = False

    async def close(self, reason: CloseReason, error: object) -> None:
        if self._closing is None:
            self._closing = self._last.start("close", self._shut(False, reason, error))
        if INSIDE.get() is None:  # the close waits for tools and hooks, so those cannot wait for it
            await asyncio.wait([self._closing])

    async def _close(self, reason: CloseReason, error: object) -> None:
        """What sounds, then words, then tasks, then the application is told."""
        if self.closed.done():
            return
        talk, session = self.conversation, self._session
        talk.seats.full = True
        talk.speaking.interrupt_all(force=True)  # `on_exit` may have a last word
        await talk.seats.leave(talk.agent, LAST_EXIT)
        talk.hearing.attach(None)
        if reason is not CloseReason.ERROR:
            patience = session.options.session_close_transcript_timeout
            await talk.hearing.last_words(patience)
            await talk.realtime.ears.last_words(patience)
        talk.observe(o.Closed())
        talk.close()
        talk.seats.release()
        await session.captions.finish()
        await self._reported()
        await talk.tools.finish()
        await talk.toolsets.close()
        await talk.hearing.context.close()
        await talk.realtime.close()
        talk.usage.close()
        await talk.end_of_turn.by_sound.close()
        await self._scope.close()
        talk.tools.abandon()
        talk.mark("session_closed", None, reason=reason.value, error=str(error) if error else None)
        if isinstance(error, Exception):  # of the room: a model's comes as what is told of it
            error = error_event("input", error, talk.agent, talk.memory.wall()).error
        talk.tell("close", CloseEvent, error=error, reason=reason)
        session.deliver()
        if self.room_io is not None:
            await self.room_io.aclose()
        self.closed.set_result(None)

    async def _reported(self) -> None:
        """Wait for the report that the last message waits for: nothing is told after the close.
        What an output of other people's was given is flushed, and told of to its listeners."""
        loop = asyncio.get_running_loop()
        waits = [self._speaker.settled] if self._speaker is not None else []
        waits += [self._adapted.reported] if self._adapted is not None else []
        for wait in waits:
            told: asyncio.Future[int] = loop.create_future()
            wait(told.set_result)
            await asyncio.wait([told], timeout=LAST_REPORT)

    def _adapt(self, sink: io.AudioOutput | None) -> Output | None:
        if sink is None or isinstance(sink, Speaker):
            return sink
        if self._adapted is not None and self._adapted.sink is sink:
            return self._adapted  # it was taken away for a while
        voice = self._agent.tts
        rate = voice.sample_rate if voice else DEFAULT_RATE
        failed = partial(self.conversation.faults.failed, "output")
        self._adapted = Adapted(sink, self._scope, rate, failed)
        return self._adapted
