"""What a worker is given: functions to run, an address, and ears for its processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit.agents import JobContext, JobProcess, JobRequest
    from livekit.agents.job import RunningJobInfo
    from livekit.agents.worker import ServerEnvOption

    Answer = Callable[[JobRequest], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Functions:
    """What a program does for a job, in the job's own process. All but the entry may be missing."""

    entry: Callable[[JobContext], Awaitable[None]]
    setup: Callable[[JobProcess], Any] | None
    session_end: Callable[[JobContext], Awaitable[None]] | None
    simulation_end: Callable[[Any], Any] | None


@dataclass(slots=True)
class Address:
    """Where a worker finds its server, and where it shows its own health."""

    url: str
    api_key: str
    api_secret: str
    host: str
    port: int | ServerEnvOption[int]


class Ears(Protocol):
    """Who hears of the processes of a worker, and of their jobs."""

    def ready(self) -> None: ...

    def unready(self) -> None:
        """One could not be set up, and is gone."""

    def answering(self, answer: Answer) -> Answer:
        """How the server is answered that asks for an agent; `answer` is the program's way."""

    def began(self, job: RunningJobInfo) -> None: ...

    def leaving(self, job: RunningJobInfo) -> None:
        """Its process has said that it is about to end, in order."""

    def ended(self, job: RunningJobInfo, died: str) -> None:
        """In order, with "", once its process said so or was told to; else, what it died of."""
