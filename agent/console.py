"""One call at a console: a recorded caller or a keyboard on one end, an agent program on the other.

The program's entry point runs as a job that needs no server; the first session it starts gets its
input and output from here. Whatever happens, the call ends within a bounded time and with its
record written: the caller has been answered, the program ends the job, something fails, or Ctrl-C.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import CloseEvent, CloseReason, ErrorEvent, UserInputTranscribedEvent
from livekit.agents.utils import http_context

from antiphon.call import Call, Ending
from antiphon.calling import Calling
from antiphon.came_through import CameThrough
from antiphon.engines import complete, missing, refuse_network, used
from antiphon.hooks import called
from antiphon.lifecycle import CONSOLE
from antiphon.nodes import local
from antiphon.nodes.callers import RATE, RecordedCaller
from antiphon.nodes.console import SoundCard
from antiphon.nodes.outputs import DEFAULT_RATE, Paced, Speaker
from antiphon.patience import waiting_for
from antiphon.pipeline.errors import AntiphonError
from antiphon.pipeline.left_behind import STRAYS, Strays
from antiphon.pipeline.streams import Scope, Stream
from antiphon.program import blame, blamed
from antiphon.screen import Wish
from antiphon.worker import ConsoleJob, entry_point

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from livekit.agents import JobContext, io

    from antiphon.nodes.wav import Samples
    from antiphon.pipeline import timeline
    from antiphon.session import AgentSession

# Seconds until the entry point has started a session: a plugin may load a model meanwhile; whoever
# looks on ends it when it is too much.
STARTS_WITHIN: Final = 300.0
RETURNED: Final = 10.0  # more, for a task that it has left behind to do it
SIGNALLED: Final = 128  # and more: the exit status of a call that a signal has ended


class Console:
    """Mutable state: the session once there is one, its line, and how the call ended."""

    def __init__(self, call: Call) -> None:
        self._entry = entry_point(call.server)
        self._server = call.server
        self._program = call.program
        self._line = call.line
        self._screen = call.screen
        self._record = call.record
        self._came_through = CameThrough()
        self._error = ""  # the last one
        self._strays = Strays()
        self._holding = self._resuming = asyncio.current_task()
        self._session: AgentSession[Any] | None = None
        self._caller: RecordedCaller | None = None
        self._speaker: Paced | None = None
        self._card: SoundCard | None = None
        self._calling: Calling | None = None
        loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = loop.create_future()
        self._entered: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[Ending] = loop.create_future()

    async def hold(self) -> Ending:
        """Hold the call, to its end."""
        CONSOLE.set(self)
        STRAYS.set(self._strays)
        job = ConsoleJob(lambda reason: self.end(Ending(0, reason=reason)))
        # What plugins reach the network with, where there can be one.
        network = nullcontext() if self._line.fast else http_context.open()
        with job.current():
            async with network, self._shown(), Scope("console", self._strays) as scope:
                with blamed(self._program, "failed in setup_fnc"), self._waiting("setup_fnc"):
                    job.set_up(self._server)
                with self._waiting("the sound card"):
                    await self._open(scope)
                if self._screen.typing:
                    lines: Stream[str] = Stream(100, name="typed")
                    scope.start("wishes", self._fulfil(lines))
                    scope.start("typed", self._type(lines))
                # Who waits, before a program that may block.
                caller = scope.start("caller", self._call())
                scope.start("entry point", self._enter(job, self._entry))
                await asyncio.wait([self._ended])
                caller.cancel()  # what is said from now on is said to nobody
                ending = self._ended.result()
                await self._hang_up(scope, job, ending)
        await self._sweep()
        if ending.status == 0 and self._came_through.nothing:
            return Ending(1, f"no reply came through; the last error was {self._error}")
        return ending

    def _shown(self) -> AbstractAsyncContextManager[None]:
        at_microphone = self._line.microphone is not None
        return self._screen.shown(self._program.name, self._line.caller, microphone=at_microphone)

    def _waiting(self, what: str) -> AbstractContextManager[None]:
        return waiting_for(what, self._screen.notice)

    @property
    def over(self) -> bool:
        """The call is over, or whoever held it has left."""
        return self._holding is None or self._holding.done()

    async def resume(self) -> None:
        """Let the call come to its end, after its loop was stopped."""
        self._resuming = asyncio.current_task()
        if self._holding is not None:
            await asyncio.wait([self._holding])

    def end(self, ending: Ending) -> None:
        """End the call; the first ending counts."""
        if not self._ended.done():
            self._ended.set_result(ending)

    # The session's side (`lifecycle.Place`).

    def attach(self, session: AgentSession[Any]) -> None:
        """Be the input and output of the first session that starts; leave others as they are."""
        if self._session is not None:
            return
        self._session = session
        if self._line.fast:
            refuse_network(session)
        written = self._line.text
        complete(session)
        for said in local.honesty(*used(session, written=written)):
            self._screen.notice(f"  with   {said}")
        for said in missing(session.current_agent, written=written):
            self._screen.notice(f"  note   {said}")
        for record in session.timeline.records:
            self._note(record)
        session.timeline.read(self._note)
        session.on("user_input_transcribed", self._transcribed)
        session.on("user_state_changed", lambda to: self._screen.stands(user=to.new_state))
        session.on("agent_state_changed", lambda to: self._screen.stands(agent=to.new_state))
        session.on("error", self._failed)
        session.on("close", self._closed)
        session.output.transcription = self._screen.captions
        session.input.audio = session.output.audio = None
        if not self._line.text:
            self._connect(session)
        self._calling = Calling(
            session,
            self._line,
            self._screen,
            self.end,
            caller=self._caller,
            microphone=self._card.microphone if self._card is not None else None,
        )
        self._started.set_result(None)

    async def _open(self, scope: Scope) -> None:
        """Open microphone and speaker; raises NoSound."""
        if (wanted := self._line.microphone) is not None:
            say, heard = self._screen.notice, (self._heard_agent, self._heard_user)
            self._card = SoundCard(scope, wanted, say=say, on_agent=heard[0], on_user=heard[1])
            await self._card.open()

    def _connect(self, session: AgentSession[Any]) -> None:
        output, session.input.audio = self._ends(session)
        session.output.audio = output
        if self._record is not None:
            self._record.begin(session.timeline.start, output.rate)

    def _ends(self, session: AgentSession[Any]) -> tuple[Speaker, io.AudioInput]:
        if self._card is not None:
            return self._card.speaker, self._card.microphone
        voice = session.current_agent.tts
        # No lower than the caller's: the record has one rate for both.
        rate = max(RATE, voice.sample_rate if voice is not None else DEFAULT_RATE)
        self._speaker = Paced(rate=rate, on_played=self._heard_agent)
        self._caller = RecordedCaller(self._heard_user)
        return self._speaker, self._caller

    def _heard_agent(self, at: float, pcm: memoryview) -> None:
        self._screen.heard_agent(pcm)
        if self._record is not None:
            self._record.heard_agent(at, pcm)

    def _heard_user(self, at: float, samples: Samples) -> None:
        self._screen.heard_user(samples)
        if self._record is not None:
            self._record.heard_user(at, samples)

    def _note(self, record: timeline.Record) -> None:
        self._screen.note(record)
        self._came_through.note(record)
        if self._record is not None:
            self._record.note(record)

    def _transcribed(self, event: UserInputTranscribedEvent) -> None:
        if event.is_final and event.transcript.strip():
            self._screen.user(event.transcript, self._now())

    def _now(self) -> float:
        start = self._session.timeline.start if self._session is not None else 0.0
        return asyncio.get_running_loop().time() - start

    def _failed(self, event: ErrorEvent) -> None:
        wrapped = event.error
        error = getattr(wrapped, "error", wrapped)
        said = blame(error, self._program, own=True) if isinstance(error, Exception) else error
        self._error = f"{getattr(wrapped, 'label', 'session')}: {said}"
        if self._ended.done() and isinstance(self._ended.result().error, SystemExit):
            return  # that is what became of the task in which the program ended itself
        self._screen.notice(f"  error  {self._error}")

    def _closed(self, event: CloseEvent) -> None:
        if event.reason is CloseReason.ERROR:
            self.end(Ending(1, f"the session was closed by an error: {self._error}"))
        else:
            self.end(Ending(0))

    # The program's side.

    async def _enter(self, job: ConsoleJob, entry: Callable[[JobContext], Awaitable[None]]) -> None:
        try:
            await called(entry, job)
        except AntiphonError as error:
            self.end(Ending(1, blame(error, self._program, own=True), error))
        except Exception as error:
            why = f"the entry point failed: {blame(error, self._program)}"
            self.end(Ending(1, why, error))
        finally:
            self._entered.set_result(None)

    # The caller's side.

    async def _call(self) -> None:
        with self._waiting("the program to start its session; engines and models may load"):
            why = await self._starting()
        if self._calling is None:
            self.end(Ending(1, f"the entry point {why}"))
            return
        await self._calling.call()
        self.end(Ending(0))

    async def _starting(self) -> str:
        """Wait until the session has started, or for as long as it may take."""
        limit = None if self._screen.typing or self._card is not None else STARTS_WITHIN
        first = asyncio.FIRST_COMPLETED
        await asyncio.wait([self._started, self._entered], timeout=limit, return_when=first)
        if not self._entered.done():
            return f"started no session within {STARTS_WITHIN:g} s"
        await asyncio.wait([self._started], timeout=RETURNED)
        return "has returned and started no session"

    async def _fulfil(self, lines: Stream[str]) -> None:
        """Do what somebody at the screen asks for; what is typed goes into `lines`."""
        async for wish in self._screen.wishes():
            if wish is Wish.HANG_UP or self._ended.done():
                self.end(Ending(0))
                continue
            if self._calling is None:
                self._screen.notice("  wait   for the program to start its session")
            if isinstance(wish, str):
                lines.put_nowait(wish)
            elif self._calling is not None:
                await self._calling.fulfil(wish)

    async def _type(self, lines: Stream[str]) -> None:
        """Pass on what is typed; what comes before there is a session waits for it."""
        await asyncio.wait([self._started])
        async for line in lines:
            if self._calling is not None and not self._ended.done():
                await self._calling.fulfil(line)

    # The end.

    async def _hang_up(self, scope: Scope, job: ConsoleJob, ending: Ending) -> None:
        self._screen.invite(False)
        hurried = ending.status > SIGNALLED
        if (session := self._session) is not None:
            if hurried:
                session.options.session_close_transcript_timeout = 0.2
            closing = scope.start("close", session.aclose())
            await asyncio.wait([closing], timeout=0.4 if hurried else 15.0)
        if self._card is not None:
            closing_card = scope.start("close sound card", self._card.close())
            await asyncio.wait([closing_card], timeout=0.3 if hurried else 3.0)
        if self._speaker is not None:
            self._speaker.held()  # what was played until now reaches the record
        leaving = scope.start(
            "shutdown callbacks", job.run_shutdown_callbacks(ending.reason or ending.why)
        )
        await asyncio.wait([leaving], timeout=0.2 if hurried else 10.0)

    async def _sweep(self) -> None:
        """Let no task of the program's hold the exit."""
        loose = asyncio.all_tasks() - {self._holding, self._resuming}
        for task in loose:
            task.cancel()
        if loose:
            _, loose = await asyncio.wait(loose, timeout=0.2)
        self._strays.add(loose)
