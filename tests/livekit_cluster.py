"""LiveKit nodes that share one Redis, all of it on loopback, and an address in front of them.

`apt-get install redis-server` brings Redis; where it is missing, what needs it is skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

import pytest

from tests.livekit_server import free_port, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.livekit_server import LiveKitServer

READY_WITHIN: Final = 10.0  # seconds; it needs a few milliseconds

SHARED: Final = """
redis: {{address: "127.0.0.1:{port}"}}
node_selector: {{kind: any}}
"""


class Redis:
    """Mutable state: the process that runs. It keeps nothing on disk: who starts again is empty."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("there is no Redis: apt-get install redis-server brings it")
        self._folder = folder
        self.port = free_port(socket.SOCK_STREAM)
        self._words = [program, "--port", str(self.port), "--bind", "127.0.0.1"]
        self._words += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with (self._folder / "redis.log").open("ab") as log:
            process = subprocess.Popen(self._words, stdout=log, stderr=log, cwd=self._folder)
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return process
            time.sleep(0.02)
        process.kill()
        pytest.fail(f"Redis did not come up:\n{(self._folder / 'redis.log').read_text()[-2000:]}")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        self.kill()
        self._process = self._start()


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[Redis]:
    running = Redis(folder)
    try:
        yield running
    finally:
        running.kill()


@contextlib.contextmanager
def node(folder: Path, name: str, shared: Redis, port: int = 0) -> Iterator[LiveKitServer]:
    """One node of several; its log is in a folder of its name."""
    (folder / name).mkdir(exist_ok=True)
    with serving(folder / name, port, SHARED.format(port=shared.port)) as server:
        yield server


def node_id(folder: Path, name: str) -> str:
    """By which its server names that node: a room may be made there, else it is at any."""
    found = re.search(r'"nodeID": "(ND_\w+)"', (folder / name / "livekit.log").read_text())
    assert found is not None
    return found[1]


class Balancer:
    """One address for several nodes, as a load balancer gives: each connection goes to the first
    of `nodes` that takes it.

    Mutable state: the connections that are open.
    """

    def __init__(self, *nodes: LiveKitServer) -> None:
        self.nodes = nodes
        self._open: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writers in self._open.values():
            for writer in writers:
                writer.close()
        if self._open:
            await asyncio.wait(self._open)

    @property
    def server(self) -> LiveKitServer:
        """What clients take for the server."""
        return replace(self.nodes[0], port=self._server.sockets[0].getsockname()[1])

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writers = [writer]
        task.add_done_callback(self._open.pop)
        for each in self.nodes:
            with contextlib.suppress(OSError):
                there = await asyncio.open_connection("127.0.0.1", each.port)
                writers.append(there[1])
                await asyncio.gather(_pass_on(reader, there[1]), _pass_on(there[0], writer))
                return
        writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side ends: then the other one does as well."""
    with contextlib.closing(writer), contextlib.suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
