"""LiveKit's jobs, and the one that needs no server.

The one file that touches private names of livekit: a server keeps its functions, its address and
its job processes to itself, a job context has no public constructor and no place for a session
that is not LiveKit's, a room's participants are built from its wire format, and a recogniser is
told of the conversation by a method with an underscore.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc
from livekit.agents import AgentServer, JobContext, JobExecutorType, JobProcess
from livekit.agents.job import JobAcceptArguments, RunningJobInfo, _JobContextVar
from livekit.agents.worker import ServerEnvOption as ServerEnvOption
from livekit.agents.worker import ServerOptions as ServerOptions
from livekit.agents.worker import ServerType as ServerType
from livekit.agents.worker import WorkerOptions as WorkerOptions
from livekit.agents.worker import WorkerPermissions as WorkerPermissions
from livekit.agents.worker import WorkerType as WorkerType
from livekit.protocol import agent as agent_protocol
from livekit.protocol import models
from livekit.rtc._proto import handle_pb2, participant_pb2, track_pb2

from antiphon.pipeline.errors import UsageError
from antiphon.service import Address, Functions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from livekit.agents import ConversationItemAddedEvent, stt

    from antiphon.service import Ears
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.worker")

LOOPBACK: Final = "127.0.0.1"
ROOM: Final = "console"
CALLER: Final = "caller"
AGENT: Final = "agent"

NO_ENTRY_POINT: Final = (
    "the AgentServer has no entry point: decorate an async function with @server.rtc_session()"
)


def client_protocol(participant: rtc.RemoteParticipant) -> int:
    """Which of the newer ways of telling a participant's client understands."""
    return participant._info.client_protocol


def server_url(job: JobContext) -> str:
    """Of the server whose room the job is in."""
    return job._info.url


def entry_point(server: AgentServer) -> Callable[[JobContext], Awaitable[None]]:
    """What `@server.rtc_session()` decorated; UsageError when nothing was."""
    if server._entrypoint_fnc is None:
        raise UsageError(NO_ENTRY_POINT)
    return server._entrypoint_fnc


def conversation_listener(
    engine: stt.STT[Any],
) -> Callable[[ConversationItemAddedEvent], None] | None:
    """How a recogniser is told what was said, where it can make use of that."""
    return engine._push_conversation_item if engine.capabilities.chat_context else None


def functions(server: AgentServer) -> Functions:
    """What a program gave its server to run."""
    return Functions(
        entry_point(server),
        server._setup_fnc,
        server._session_end_fnc,
        server._simulation_end_fnc,
    )


def replace(server: AgentServer, instead: Functions) -> None:
    """Have the server run these in its job processes."""
    server._entrypoint_fnc = instead.entry
    server._setup_fnc = instead.setup
    server._session_end_fnc = instead.session_end
    server._simulation_end_fnc = instead.simulation_end
    if "antiphon" not in server._preload_modules:
        server._preload_modules.append("antiphon")  # once, not in each job's process


def address(server: AgentServer) -> Address:
    """As the program and the environment say; health is shown on loopback unless they say more."""
    host = server._host or LOOPBACK
    return Address(server._ws_url, server._api_key, server._api_secret, host, server._port)


def settle(server: AgentServer, at: Address) -> None:
    """Have the server use this address."""
    server.update_options(ws_url=at.url, api_key=at.api_key, api_secret=at.api_secret)
    server._host, server._port = at.host, at.port


def watch(server: AgentServer, ears: Ears) -> None:
    """Tell of each process of a server whose `run` has begun."""
    pool = server._proc_pool
    threads = server._job_executor_type is JobExecutorType.THREAD
    prepared: set[int] = set()
    finished: set[int] = set()

    def ready(process: Any) -> None:
        prepared.add(id(process))
        ears.ready()

    def launched(process: Any) -> None:
        ears.began(process.running_job)
        if not threads:
            process._shutting_down_fut.add_done_callback(lambda _: leaving(process))

    def leaving(process: Any) -> None:
        # The end of the channel sets both futures, the process's own word only this one.
        if not process._shutdown_ack_fut.done():
            finished.add(id(process))
            ears.leaving(process.running_job)

    def closed(process: Any) -> None:
        in_order = threads or process._closing or id(process) in finished
        if process.running_job is not None:
            ears.ended(process.running_job, "" if in_order else _death(process.exitcode))
        elif id(process) not in prepared:
            ears.unready()
        prepared.discard(id(process))
        finished.discard(id(process))

    server._request_fnc = ears.answering(server._request_fnc)  # type: ignore[arg-type]
    pool.on("process_ready", ready)
    pool.on("process_job_launched", launched)
    pool.on("process_closed", closed)


def set_up_no_more(server: AgentServer) -> None:
    """Start no more processes; a server that waits for its first ones waits no longer."""
    server._proc_pool._closed = True
    server._proc_pool._idle_ready.set()


def _death(code: int | None) -> str:
    """What an exit code says; nothing for 0, with which a program ends itself."""
    if code is not None and code < 0:
        return f"its process was killed ({signal.Signals(-code).name})"
    return f"its process ended with status {code}" if code else ""


def settled(job: JobContext) -> asyncio.Future[None]:
    """Done once the job is in its room, or was told to end."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def then(before: Callable[..., None]) -> Callable[..., None]:
        def after(*given: Any) -> None:
            before(*given)
            if not done.done():
                done.set_result(None)

        return after

    job._on_connect, job._on_shutdown = then(job._on_connect), then(job._on_shutdown)
    return done


class Reported:
    """What a job reads of its session: for its report, and for traces, which have no place yet.

    Mutable state: when the session began, and its events.
    """

    _recorder_io: Final = None
    _root_span_context: Final = None
    _session_start_context: Final = None

    def __init__(self) -> None:
        super().__init__()
        self._started_at: float | None = None
        self._recorded_events: list[Any] = []

    def begin_report(self, now: float) -> None:
        """Keep every event from now, `now` in seconds since the epoch."""
        self._started_at = now

    @property
    def reported(self) -> bool:
        """Its events are kept for a report."""
        return self._started_at is not None


def make_primary(job: JobContext, session: AgentSession[Any]) -> bool:
    """Give a job its session, unless it has one; the job closes it when it ends."""
    if job._primary_agent_session is None:
        job._primary_agent_session = session  # type: ignore[assignment]  # theirs, by name
    primary: object = job._primary_agent_session
    return primary is session


class ConsoleJob(JobContext):
    """A job of one call at a console: no server, a room with nobody but the caller.

    `on_shutdown(reason)` is called when the program asks for the end of the job.
    """

    def __init__(self, on_shutdown: Callable[[str], None]) -> None:
        room = ConsoleRoom()
        process = JobProcess(
            executor_type=JobExecutorType.THREAD, user_arguments=None, http_proxy=None
        )
        super().__init__(
            proc=process,
            info=_job_info(),
            room=room,
            on_connect=lambda: None,
            on_shutdown=on_shutdown,
            inference_executor=_NoInference(),
        )
        self._connected = True  # there is no signal URL to connect to
        self._joined = False

    @contextmanager
    def current(self) -> Iterator[None]:
        """Within it, `get_job_context()` is this job; afterwards its folder is gone."""
        token = _JobContextVar.set(self)
        try:
            yield
        finally:
            _JobContextVar.reset(token)
            self._tempdir.cleanup()

    async def connect(self, **_: Any) -> None:
        """Nothing to connect to; whoever waits for participants meets the caller."""
        if not self._joined:
            self._joined = True
            for participant in self.room.remote_participants.values():
                self._participant_available(participant)

    @property
    def local_participant_identity(self) -> str:
        return AGENT

    def set_up(self, server: AgentServer) -> None:
        """Run the server's `setup_fnc`, as a worker's process does before its first job."""
        if server._setup_fnc is not None:
            server._setup_fnc(self.proc)

    async def run_shutdown_callbacks(self, reason: str) -> None:
        """Those the program added, in their order; one that fails does not keep the others."""
        for callback in self._shutdown_callbacks:
            try:
                await callback(reason)
            except Exception as error:
                logger.error("a shutdown callback failed: %s: %s", type(error).__name__, error)


class ConsoleRoom(rtc.Room):
    """A room that is connected to nothing, with one participant, the caller."""

    def __init__(self) -> None:
        super().__init__()
        self._info.name, self._info.sid = ROOM, "RM_console"
        self._info.num_participants, self._info.num_publishers = 2, 2
        self._connection_state = rtc.ConnectionState.CONN_CONNECTED
        self._local_participant = ConsoleParticipant(self)
        self._remote_participants = {CALLER: rtc.RemoteParticipant(_participant(CALLER))}

    def isconnected(self) -> bool:
        return self._connection_state == rtc.ConnectionState.CONN_CONNECTED

    async def connect(self, *_: Any, **__: Any) -> None:
        """It is."""

    async def disconnect(self, *_: Any, **__: Any) -> None:
        self._connection_state = rtc.ConnectionState.CONN_DISCONNECTED


class ConsoleParticipant(rtc.LocalParticipant):
    """The agent's side of a room of nobody: what it tells the others goes nowhere."""

    def __init__(self, room: ConsoleRoom) -> None:
        super().__init__(room._room_queue, _participant(AGENT, agent=True))

    async def publish_data(self, *_: Any, **__: Any) -> None:
        logger.debug("data for the room: there is nobody to send it to at a console")

    async def set_attributes(self, attributes: dict[str, str]) -> None:
        self._info.attributes.update(attributes)

    async def set_metadata(self, metadata: str) -> None:
        self._info.metadata = metadata

    async def set_name(self, name: str) -> None:
        self._info.name = name

    async def publish_track(self, track: rtc.LocalTrack, *_: Any, **__: Any) -> Any:
        logger.warning("a console has no room: nobody hears or sees the track %r", track.name)
        info = track_pb2.TrackPublicationInfo(sid="TR_console", name=track.name)
        handle = handle_pb2.FfiOwnedHandle(id=0)
        owned = track_pb2.OwnedTrackPublication(info=info, handle=handle)
        return rtc.LocalTrackPublication(owned)

    async def unpublish_track(self, *_: Any, **__: Any) -> None:
        """It was published to nobody."""

    async def perform_rpc(self, *_: Any, **__: Any) -> Any:
        raise UsageError("nobody at a console answers a remote call: run this in a LiveKit room")

    async def send_text(self, *_: Any, **__: Any) -> Any:
        logger.debug("text for the room: there is nobody to send it to at a console")


class _NoInference:
    async def do_inference(self, method: str, data: bytes) -> bytes | None:
        raise NotImplementedError("a console runs no inference process")


def _participant(identity: str, *, agent: bool = False) -> participant_pb2.OwnedParticipant:
    kinds = rtc.ParticipantKind
    info = participant_pb2.ParticipantInfo(
        sid=f"PA_{identity}",
        name=identity,
        identity=identity,
        metadata="",
        kind=kinds.PARTICIPANT_KIND_AGENT if agent else kinds.PARTICIPANT_KIND_STANDARD,
        state=participant_pb2.ParticipantState.PARTICIPANT_STATE_ACTIVE,
        disconnect_reason=participant_pb2.DisconnectReason.UNKNOWN_REASON,
    )
    # 0 is no native handle: nothing is dropped with the object.
    return participant_pb2.OwnedParticipant(info=info, handle=handle_pb2.FfiOwnedHandle(id=0))


def _job_info() -> RunningJobInfo:
    job = agent_protocol.Job(
        id="console-job",
        room=models.Room(name=ROOM, sid="RM_console"),
        type=agent_protocol.JobType.JT_ROOM,
    )
    accepted = JobAcceptArguments(identity=AGENT, name="", metadata="")
    return RunningJobInfo(
        accept_arguments=accepted, job=job, url="", token="", worker_id="console", fake_job=True
    )
