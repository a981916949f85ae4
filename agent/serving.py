"""`start`, `dev` and `connect`: an agent program as a worker of a LiveKit server. Before them,
`download-files`.

The worker, its job processes and the dispatch are LiveKit's. Ours is what is said when something
is missing, which address is used, and that a call whose agent died gets another one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import re
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
from livekit import api
from livekit.agents import utils
from livekit.agents.cli.log import setup_logging
from livekit.agents.worker import ServerEnvOption

from antiphon import downloads, jobs, worker
from antiphon.jobs_lost import AGAIN, LostCalls
from antiphon.jobs_moved import MovedRooms
from antiphon.journal import Journal
from antiphon.pipeline.errors import UsageError
from antiphon.pipeline.left_behind import Strays
from antiphon.pipeline.streams import Scope
from antiphon.program import load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from livekit.agents import AgentServer
    from livekit.agents.job import RunningJobInfo

    from antiphon.service import Address, Answer

DOWNLOAD: Final = "download-files"
COMMANDS: Final = ("start", "dev", "connect", DOWNLOAD)
LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
SETUPS: Final = 3  # processes in a row that could not be set up: the program cannot be run
TOKEN: Final = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+")
HIDDEN: Final = "•••"

REFUSED: Final = (401, 403)
SETUP_FAILED: Final = "process initialization failed: "  # what LiveKit calls it

logger = logging.getLogger("antiphon.worker")
LIVEKIT: Final = logging.getLogger("livekit.agents")


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], *, own: bool
) -> None:
    """`own`: the program itself is run, and needs no naming."""
    for name, what in (
        ("start", "serve calls of a LiveKit server, in production"),
        ("dev", "serve calls of a LiveKit server, while the program is being written"),
        ("connect", "join one room of a LiveKit server"),
        (DOWNLOAD, "fetch the files that the program's plugins need"),
    ):
        parser = commands.add_parser(name, help=what)
        if not own:
            parser.add_argument(
                "file", type=Path, metavar="FILE", help="a program with an AgentServer"
            )
        _add_options(parser, name)


def _add_options(parser: argparse.ArgumentParser, command: str) -> None:
    env, add = os.environ.get, parser.add_argument
    parser.set_defaults(debug=False)
    if command == DOWNLOAD:
        return
    add("--url", help="of the LiveKit server, as ws://127.0.0.1:7880; or LIVEKIT_URL")
    add("--api-key", metavar="KEY", help="or LIVEKIT_API_KEY")
    add("--api-secret", metavar="SECRET", help="or LIVEKIT_API_SECRET")
    add("--host", help=f"where the worker shows its health ({worker.LOOPBACK}; 0.0.0.0: to all)")
    add("--port", type=int, help="where the worker shows its health (8081; dev: any)")
    add("--log-level", type=str.upper, default=env("LIVEKIT_LOG_LEVEL"), metavar="LEVEL")
    if command == "connect":
        add("--room", required=True, help="which; it is made when there is none")
        add("--participant-identity", metavar="NAME", help="of the agent in the room")
        return
    if command == "start":
        add("--drain-timeout", type=int, metavar="S", help="how long calls may go on at the end")
    again = env("ANTIPHON_REDISPATCH") or AGAIN
    add("--redispatch", type=int, default=again, metavar="N", help=_REDISPATCH)
    add("--journal", type=Path, default=env("ANTIPHON_JOURNAL"), metavar="FILE", help=_JOURNAL)


_REDISPATCH: Final = f"new agents for a call whose process dies, at most ({AGAIN}; 0: none)"
_JOURNAL: Final = "write calls there, and look after those that a killed worker left"


def serve(given: argparse.Namespace, server: AgentServer | None) -> None:
    """Run the worker until it is told to end; AntiphonError when it cannot be run."""
    program = given.file if server is None else Path(sys.argv[0])
    by_file = server is None
    server = load(program) if server is None else server
    if given.command == DOWNLOAD:
        downloads.fetch()
        return
    served = jobs.Served(program, by_file, worker.functions(server))
    at = _address(given, server)
    worker.settle(server, at)
    worker.replace(server, served.instead())
    _log(given, server, at.api_secret)
    if given.command == "dev":
        os.environ["LIVEKIT_DEV_MODE"] = "1"
    if given.command == "start" and given.drain_timeout is not None:
        server.update_options(drain_timeout=given.drain_timeout)
    with asyncio.Runner() as runner:
        runner.run(_serve(given, server))


def _address(given: argparse.Namespace, server: AgentServer) -> Address:
    at = worker.address(server)
    said = {name: getattr(given, name) for name in ("url", "api_key", "api_secret", "host", "port")}
    at = replace(at, **{name: value for name, value in said.items() if value is not None})
    names = {"url": "LIVEKIT_URL", "api_key": "LIVEKIT_API_KEY", "api_secret": "LIVEKIT_API_SECRET"}
    missing = [name for each, name in names.items() if not getattr(at, each)]
    if missing:
        raise UsageError(
            f"{', '.join(missing)} must be set, or given as --url, --api-key and --api-secret: "
            f"which LiveKit server is this for? (`console` needs none)"
        )
    return at


async def _serve(given: argparse.Namespace, server: AgentServer) -> None:
    async with Scope("worker", Strays()) as scope:
        journal = getattr(given, "journal", None)
        again = getattr(given, "redispatch", 0)
        lost = LostCalls(scope, Journal(journal) if journal else None, again)
        at_work = _Worker(server, given, scope, lost)
        if given.command == "connect":
            server.once("worker_started", at_work.connect)
        server.on("worker_registered", at_work.registered)
        with at_work.obeying():
            why = await at_work.run()
    if why:
        raise UsageError(why)


class _Worker:
    """Mutable state: whether its processes can be set up, whether the server has known it, and why
    it ends, once it does.
    """

    def __init__(
        self, server: AgentServer, given: argparse.Namespace, scope: Scope, lost: LostCalls
    ) -> None:
        self._server = server
        self._given = given
        self._scope = scope
        self._lost = lost
        self._moved = MovedRooms(scope, lost)
        self._overheard = _Overheard(self._refused)
        self._unready: float = 0
        self._known = False
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> str:
        """Work until the end; the answer is what went wrong, or ""."""
        self._scope.start("server", self._run())
        await asyncio.sleep(0)
        if not self._ended.done():
            worker.watch(self._server, self)
        await asyncio.wait([self._ended])
        why = self._ended.result()
        if self._given.command == "start" and not why:
            try:
                await self._server.drain()
            except TimeoutError:
                logger.warning("calls went on for too long; the worker ends without waiting")
            await self._lost.settled()
        await self._server.aclose()
        return why

    async def _run(self) -> None:
        alone = self._given.command == "connect"
        try:
            await self._server.run(devmode=self._given.command != "start", unregistered=alone)
        except OSError as error:
            why = error.strerror or error
            self.end(f"the worker cannot show its health: {why}; --host and --port say where else")
        except Exception as error:
            self.end(f"{error}")
        self.end("")

    def end(self, why: str = "") -> None:
        """End; the first reason counts."""
        if not self._ended.done():
            self._ended.set_result(why)

    @contextmanager
    def obeying(self) -> Iterator[None]:
        """A signal ends the worker in order, a second one at once, whatever holds the loop."""
        loop = asyncio.get_running_loop()

        def told(number: int, _: object) -> None:
            for each in SIGNALS:
                signal.signal(each, lambda *_: os._exit(128 + number))
            loop.call_soon_threadsafe(self.end)

        before = {each: signal.signal(each, told) for each in SIGNALS}
        LIVEKIT.addFilter(self._overheard)
        try:
            yield
        finally:
            LIVEKIT.removeFilter(self._overheard)
            for each, handler in before.items():
                signal.signal(each, handler)

    def registered(self, *_: object) -> None:
        self._known = True
        self._lost.registered()

    def _refused(self) -> None:
        """A server that has known the worker may yet know it again; another one never will."""
        if not self._known:
            at = worker.address(self._server)
            self.end(f"{at.url} refuses the key {at.api_key} and its secret")

    # What becomes of the processes (`service.Ears`).

    def ready(self) -> None:
        self._unready = -math.inf

    def unready(self) -> None:
        self._unready += 1
        if self._unready >= SETUPS:
            worker.set_up_no_more(self._server)
            self.end(self._overheard.why or "no process for jobs could be set up")

    def answering(self, answer: Answer) -> Answer:
        return self._moved.answering(answer)

    def began(self, job: RunningJobInfo) -> None:
        self._lost.began(job)

    def leaving(self, job: RunningJobInfo) -> None:
        self._lost.leaving(job)

    def ended(self, job: RunningJobInfo, died: str) -> None:
        self._lost.ended(job, died)
        if died:
            self._moved.died(job)
        if self._given.command == "connect":
            self.end(died and f"the agent in room {job.job.room.name} is gone: {died}")

    def connect(self) -> None:
        self._scope.start("connect", self._connect())

    async def _connect(self) -> None:
        """Join the room that was named, as if the server had asked for it."""
        name = self._given.room
        try:
            async with api.LiveKitAPI() as server:
                room = await server.room.create_room(api.CreateRoomRequest(name=name))
        except (aiohttp.ClientError, TimeoutError, api.TwirpError) as error:
            self.end(f"room {name} cannot be joined: {error}")
            return
        identity = self._given.participant_identity or utils.shortuuid("agent-")
        await self._server.simulate_job(name, room_info=room, agent_identity=identity)


# What is said.


class _Overheard(logging.Filter):
    """What LiveKit tells its log only, again and again: that a process could not be set up, and
    that a server refuses the worker's keys.

    Mutable state: why the last process could not be.
    """

    def __init__(self, refused: Callable[[], None]) -> None:
        super().__init__()
        self.why = ""
        self._refused = refused

    def filter(self, record: logging.LogRecord) -> bool:
        error = getattr(record, "error", None)
        if isinstance(error, aiohttp.WSServerHandshakeError) and error.status in REFUSED:
            self._refused()
        said = str(record.exc_info[1]) if record.exc_info else ""
        if not said.startswith(SETUP_FAILED):
            return True
        self.why = said.removeprefix(SETUP_FAILED)
        return False


class _Discreet(logging.Formatter):
    """Another formatter's lines, without a token or a secret in them."""

    def __init__(self, plain: logging.Formatter, secret: str) -> None:
        super().__init__()
        self._plain = plain
        self._secret = secret

    def format(self, record: logging.LogRecord) -> str:
        return TOKEN.sub(HIDDEN, self._plain.format(record)).replace(self._secret, HIDDEN)


def _log(given: argparse.Namespace, server: AgentServer, secret: str) -> None:
    """As LiveKit's workers do: lines of JSON in production, else lines to be read."""
    dev = given.command != "start"
    level = given.log_level or ServerEnvOption.getvalue(server.log_level, dev)
    if level not in LEVELS:
        raise UsageError(f"there is no log level {level}; there is {', '.join(LEVELS)}")
    before = list(logging.getLogger().handlers)
    setup_logging(level, devmode=dev, console=False)
    for handler in logging.getLogger().handlers:
        if handler not in before:
            plain = handler.formatter or logging.Formatter()
            handler.setFormatter(_Discreet(plain, secret))
