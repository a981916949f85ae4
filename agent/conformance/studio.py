"""A loopback server for recognisers and voices: strict, and it knows when it was left."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from antiphon.conformance.wire import Refused, Request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable


class Cut(Exception):
    """The script says that the connection dies here."""


@dataclass(slots=True)
class Visit:
    """A connection, or a request, and what came of it."""

    studio: Studio
    path: str
    began: float
    heard: float = 0.0  # seconds of sound that were sent to it
    spoken: list[str] = field(default_factory=list)  # texts that it was given
    sent: int = 0  # messages
    last: float = 0.0  # when the last of them was sent
    left: float | None = None  # when the client went, unless it said goodbye
    over: bool = False  # it said goodbye

    @property
    def text(self) -> str:
        """Everything it was given to speak."""
        return " ".join(" ".join(self.spoken).split())

    def goes_on(self) -> bool:
        """Whether one more message may be sent; Cut where the script says so."""
        if self.studio.fault == "silence":
            return False
        if self.studio.fault == "cut" and self.sent >= 2:
            raise Cut
        self.sent += 1
        self.last = asyncio.get_running_loop().time()
        return True


class Serves(Protocol):
    """A provider's protocol."""

    def allow(self, request: Request) -> None:
        """Refuse who has no key, or is at the wrong place."""
        ...

    async def serve(
        self, request: web.Request, visit: Visit, studio: Studio
    ) -> web.StreamResponse: ...


class Studio:
    """Mutable state: what recognisers make of the next utterances, who has been here, and the fault
    that it has now: a status in digits for whoever comes; "silence", in which nothing is sent;
    "cut", in which a connection dies after two messages."""

    def __init__(self, speaks: Serves, hears: Iterable[str] = (), fault: str = "") -> None:
        self.speaks = speaks
        self.texts = iter(hears)
        self.fault = fault
        self.visits: list[Visit] = []
        self.refused: list[str] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = Request(request.method, request.path, request.query, request.headers, b"")
        visit = Visit(self, request.path, asyncio.get_running_loop().time())
        try:
            self.speaks.allow(raw)
            if request.method == "GET" and "Upgrade" not in request.headers:
                return web.json_response({})  # a client that warms up
            self.visits.append(visit)
            if self.fault.isdigit():
                return _error(int(self.fault), "by the script")
            return await self.speaks.serve(request, visit, self)
        except Refused as error:
            self.refused.append(f"{error.status} {request.method} {request.path}: {error}")
            return _error(error.status, str(error))
        except Cut:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        finally:
            if not visit.over:
                visit.left = asyncio.get_running_loop().time()


def _error(status: int, why: str) -> web.Response:
    return web.json_response({"error": {"message": why}}, status=status)


class Line:
    """A WebSocket of a visit."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.socket = web.WebSocketResponse()

    async def send(self, message: dict[str, Any]) -> None:
        """Send it, unless the script says otherwise."""
        if self.visit.goes_on():
            await self.socket.send_str(json.dumps(message))


@asynccontextmanager
async def open_for_visits(studio: Studio) -> AsyncGenerator[Studio, None]:
    """The studio on a port of its own, while the block runs."""
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/{path:.*}", studio.handle)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    with closing(socket.socket()) as place:
        place.bind(("127.0.0.1", 0))
        studio.url = f"http://127.0.0.1:{place.getsockname()[1]}"
        await runner.setup()
        await web.SockSite(runner, place).start()
        try:
            yield studio
        finally:
            await runner.cleanup()
