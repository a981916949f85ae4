"""A program's functions as a job's process runs them, and a session's part in the life of a job."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import CloseReason, JobExecutorType, get_job_context

from antiphon import collector, parent, session_options, worker
from antiphon.arguments import given
from antiphon.jobs_lost import LostCall as LostCall
from antiphon.jobs_lost import lost_call as lost_call
from antiphon.only_agent import OnlyAgent
from antiphon.program import blame, blamed, load
from antiphon.service import Functions

if TYPE_CHECKING:
    from pathlib import Path

    from livekit.agents import JobContext, JobProcess, NotGivenOr, RecordingOptions

    from antiphon.lifecycle import Run
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.worker")

CONNECTS_WITHIN: Final = 10.0  # seconds a job may stay outside of its room once its entry returned

OF_PROGRAM: ContextVar[bool] = ContextVar("antiphon.of_program", default=False)
"""What runs here was begun by the program, not by the job's own machinery."""


@dataclass(frozen=True, slots=True)
class Served:
    """A program and its functions. Where the program was loaded from its file (and is no
    `__main__`), a job's process loads it again, by path: its module may have another name there.
    """

    program: Path
    by_file: bool
    given: Functions

    def __reduce__(self) -> tuple[Any, ...]:
        if self.by_file:
            return _loaded, (self.program,)
        return Served, (self.program, False, self.given)

    def instead(self) -> Functions:
        """The same functions, with failures told in a line."""
        return Functions(
            entry=Entry(self),
            setup=Setup(self),
            session_end=SessionEnd(self) if self.given.session_end else None,
            simulation_end=SimulationEnd(self) if self.given.simulation_end else None,
        )


@functools.cache
def _loaded(program: Path) -> Served:
    return Served(program, True, worker.functions(load(program)))


@dataclass(frozen=True, slots=True)
class Setup:
    """The program's `setup_fnc`."""

    served: Served

    def __call__(self, process: JobProcess) -> None:
        if process.executor_type is JobExecutorType.PROCESS:
            parent.end_with_it()
        if self.served.given.setup is not None:
            with blamed(self.served.program, "failed in setup_fnc"):
                self.served.given.setup(process)
        collector.pass_over_what_is_loaded()


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """The program's `on_session_end`."""

    served: Served

    async def __call__(self, job: JobContext) -> None:
        if self.served.given.session_end is not None:
            await self.served.given.session_end(job)


@dataclass(frozen=True, slots=True)
class SimulationEnd:
    """The program's `on_simulation_end`."""

    served: Served

    def __call__(self, simulation: Any) -> Any:
        assert self.served.given.simulation_end is not None
        return self.served.given.simulation_end(simulation)


@dataclass(frozen=True, slots=True)
class Entry:
    """The program's entry point. One that fails, or ends without its room, ends the job."""

    served: Served

    async def __call__(self, job: JobContext) -> None:
        OF_PROGRAM.set(True)
        settled = worker.settled(job)
        OnlyAgent(job)
        try:
            await self.served.given.entry(job)
        except Exception as error:
            logger.error("the entry point failed: %s", blame(error, self.served.program))
            logger.debug("where it failed", exc_info=error)
            job.shutdown("the entry point failed")
            return
        if job.is_fake_job():
            return
        await asyncio.wait([settled], timeout=CONNECTS_WITHIN)
        if not settled.done():
            logger.error(
                "the entry point returned, and the job is in no room: "
                "await session.start(agent, room=ctx.room), or ctx.connect()"
            )
            job.shutdown("the job never connected")


# The session's side.


def join(session: AgentSession[Any], run: Run, record: NotGivenOr[bool | RecordingOptions]) -> None:
    """Make a session that starts in a job that job's own: it closes with it, and is reported.

    The first is the primary one, which the job closes by itself, before it leaves its room.
    """
    job = get_job_context(required=False)
    if job is None:
        return
    OF_PROGRAM.set(True)
    session.begin_report(time.time())
    job.init_recording(_recorded(job, session, record))
    if not worker.make_primary(job, session):

        async def close() -> None:
            await run.close(CloseReason.JOB_SHUTDOWN, None)

        job.add_shutdown_callback(close)


def _recorded(
    job: JobContext, session: AgentSession[Any], record: NotGivenOr[bool | RecordingOptions]
) -> RecordingOptions:
    """What LiveKit Cloud is to keep of it: what the program says, else what its server does."""
    if given(record):
        return session.options.recording_options
    return session_options.recording(job.job.enable_recording)


def close_reason() -> CloseReason:
    """Why a session is being closed, by who closes it: the program, or the end of its job."""
    job = get_job_context(required=False)
    if OF_PROGRAM.get() or job is None or job.is_fake_job():  # a console is hung up by its caller
        return CloseReason.USER_INITIATED
    return CloseReason.JOB_SHUTDOWN
