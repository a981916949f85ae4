"""Workers of a real LiveKit server: programs written into a folder, run as processes of their own.

Their agents need no sound: each tells who it is by the attributes of its participant.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final, Self

import psutil
from livekit import api, rtc
from livekit.protocol.models import ParticipantInfo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.livekit_server import LiveKitServer

PATIENCE: Final = 40.0  # seconds; what is waited for needs a second or two, on a free machine
LONG: Final = 120.0  # seconds, for what takes LiveKit its time
GLANCE: Final = 0.1

HEAD: Final = """\
import asyncio
import json
import os
from pathlib import Path
from antiphon import (
    Agent, AgentServer, AgentSession, JobContext, UsageError, WorkerOptions, cli, get_job_context
)
from antiphon.jobs import lost_call


def load():
    return 1.0 if Path("full").exists() else 0.0


server = AgentServer(
    num_idle_processes=1, load_fnc=load, port=0, initialize_process_timeout=60
)


async def appear(ctx):
    await ctx.connect()
    lost = lost_call(ctx)
    await ctx.room.local_participant.set_attributes({
        "pid": str(os.getpid()),
        "metadata": ctx.job.metadata,
        "lost": f"{lost.why}, {lost.times}" if lost else "",
    })


def tell(ctx, what):
    with open("told.jsonl", "a") as file:
        file.write(json.dumps([ctx.job.room.name, what]) + "\\n")


"""
ENTRY: Final = """\
@server.rtc_session(agent_name="{agent}")
async def entrypoint(ctx: JobContext):
"""
APPEARS: Final = "await appear(ctx)"


def write(
    folder: Path, body: str = APPEARS, before: str = "", after: str = "", agent: str = "ada"
) -> Path:
    """A program whose entry point is `body`, with text before and after it. Two that run at the
    same time with the same `agent` share their calls."""
    path = folder / "program.py"
    indented = textwrap.indent(textwrap.dedent(body), "    ")
    entry = ENTRY.format(agent=agent)
    path.write_text(f"{HEAD}{before}\n\n{entry}{indented}\n\n{after}\n", encoding="utf-8")
    return path


def told(folder: Path, room: str) -> list[Any]:
    """What the program has told of a room, by `tell`."""
    try:
        text = (folder / "told.jsonl").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    lines = text.rpartition("\n")[0].splitlines()  # the last one may be half written
    return [what for name, what in map(json.loads, lines) if name == room]


def environment(server: LiveKitServer | None = None) -> dict[str, str]:
    """Of a program that is to serve `server`, or knows of none."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("LIVEKIT_")}
    if server is not None:
        ours |= {"LIVEKIT_URL": server.url}
        ours |= {"LIVEKIT_API_KEY": server.key, "LIVEKIT_API_SECRET": server.secret}
    return ours


class Worker:
    """A worker's process, and what it says."""

    def __init__(
        self, program: Path, server: LiveKitServer, *arguments: object, command: str = "start"
    ) -> None:
        self.log = program.with_name(f"{program.stem}-{os.urandom(3).hex()}.log")
        words = [sys.executable, "-m", "antiphon", command, program, *arguments]
        if command.startswith("own "):
            words = [sys.executable, program, command[4:], *arguments]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in words],
                stdout=log,
                stderr=log,
                env=environment(server),
                cwd=program.parent,
            )

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    async def says(self, text: str, times: int = 1, patience: float = PATIENCE) -> None:
        """Wait until it has said `text`."""
        await until(lambda: self.said.count(text) >= times or not self.running, patience)
        assert self.said.count(text) >= times, self.said[-4000:]

    async def registered(self) -> Self:
        await self.says("registered worker", patience=LONG)  # a busy machine loads it for long
        return self

    def health(self) -> tuple[str, int]:
        """Where it shows its health: host and port."""
        found = re.search(r"HTTP server listening on (\S+?):(\d+)", self.said)
        assert found is not None
        return found[1], int(found[2])

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def jobs(self) -> list[int]:
        """The numbers of the processes in which its jobs run, or will."""
        servers = psutil.Process(self.process.pid).children()  # which fork
        return [each.pid for server in servers for each in server.children()]

    def processes(self) -> list[int]:
        """The numbers of all that it has started."""
        return [each.pid for each in psutil.Process(self.process.pid).children(recursive=True)]

    def stop(self) -> None:
        """Ask it to end, as a deployment does."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    async def ended(self) -> int:
        """Its exit status, once it has ended."""
        await until(lambda: not self.running, LONG)
        return self.process.wait()


@contextlib.contextmanager
def at_work(
    program: Path, server: LiveKitServer, *arguments: object, command: str = "start"
) -> Iterator[Worker]:
    worker = Worker(program, server, *arguments, command=command)
    try:
        yield worker
    finally:
        if worker.running:
            worker.kill()


async def until(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Look again and again; fail after `patience` seconds."""
    async with asyncio.timeout(patience):
        while not true():  # noqa: ASYNC110  # another process makes it so
            await asyncio.sleep(GLANCE)


class Rooms:
    """The server's API, as a test asks it."""

    def __init__(self, server: LiveKitServer, calls: api.LiveKitAPI) -> None:
        self._server = server
        self.api = calls

    async def dispatch(self, room: str, agent: str = "ada", **more: Any) -> api.AgentDispatch:
        return await self.api.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(agent_name=agent, room=room, **more)
        )

    async def ask(self, room: str, agent: str) -> None:
        """Dispatch an agent by its name; one without a name comes to every room there is."""
        if agent:
            await self.dispatch(room, agent)
        else:
            await self.make(room)

    async def make(self, room: str, **more: Any) -> None:
        await self.api.room.create_room(api.CreateRoomRequest(name=room, **more))

    async def there(self, room: str) -> list[ParticipantInfo]:
        try:
            request = api.ListParticipantsRequest(room=room)
            return list((await self.api.room.list_participants(request)).participants)
        except api.TwirpError as error:
            if error.code == api.TwirpErrorCode.NOT_FOUND:
                return []
            raise

    async def agents(self, room: str) -> list[ParticipantInfo]:
        """Agents that have said who they are."""
        there = await self.there(room)
        return [
            each
            for each in there
            if each.kind == ParticipantInfo.AGENT and "pid" in each.attributes
        ]

    async def agent(
        self, room: str, *, other_than: str = "", not_in: str = "", besides: str = ""
    ) -> ParticipantInfo:
        """The one agent of a room, once there is one that is not of identity `other_than`, nor in
        the process `not_in`: these are gone by then. One of identity `besides` is not looked at."""
        async with asyncio.timeout(PATIENCE):
            while True:
                agents = [each for each in await self.agents(room) if each.identity != besides]
                for each in agents:
                    if each.identity != other_than and each.attributes["pid"] != not_in:
                        assert agents == [each]
                        return each
                await asyncio.sleep(GLANCE)

    async def present(self, room: str, *identities: str) -> None:
        """Wait until these, and nobody else, are in the room."""
        async with asyncio.timeout(PATIENCE):
            while {each.identity for each in await self.there(room)} != set(identities):  # noqa: ASYNC110
                await asyncio.sleep(GLANCE)

    async def delete(self, room: str) -> None:
        await self.api.room.delete_room(api.DeleteRoomRequest(room=room))

    async def dispatches(self, room: str) -> list[api.AgentDispatch]:
        """Those by name, oldest first: a room asks for an agent without one by itself."""
        listed = [d for d in await self.api.agent_dispatch.list_dispatch(room) if d.agent_name]
        return sorted(listed, key=lambda each: each.state.created_at)

    async def empty_of_agents(self, room: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.agents(room):  # noqa: ASYNC110  # the server knows
                await asyncio.sleep(GLANCE)

    @contextlib.asynccontextmanager
    async def caller(self, room: str, identity: str = "caller") -> AsyncIterator[rtc.Room]:
        """Somebody in the room, for as long as it lasts."""
        joined = rtc.Room()
        await joined.connect(self._server.url, self._server.token(identity, room))
        try:
            yield joined
        finally:
            await joined.disconnect()


@contextlib.asynccontextmanager
async def rooms_of(server: LiveKitServer) -> AsyncIterator[Rooms]:
    async with server.api() as calls:
        yield Rooms(server, calls)


def kill_process(agent: ParticipantInfo) -> None:
    """`kill -9` of the process an agent runs in."""
    os.kill(int(agent.attributes["pid"]), signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
