"""A loopback server for recognisers and voices: strict, and it knows when it was left."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import web

from antiphon.conformance.wire import Refused, Request, reserved

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator


FAULTS: Final = ("401", "429", "500", "refused", "silence", "cut", "broken", "empty")


class Cut(Exception):
    """The script says that the connection dies here."""


@dataclass(slots=True)
class Visit:
    """A connection, or a request, and what came of it."""

    fault: str  # the script's when it began
    path: str
    began: float
    well: int = 2  # messages before it is cut, or what it sends is broken
    heard: float = 0.0  # seconds of sound that were sent to it
    tokens: int = 0  # that it said were used for that
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
        if self.fault == "silence":
            return False
        if self.fault == "cut" and self.sent >= self.well:
            raise Cut
        self.sent += 1
        self.last = asyncio.get_running_loop().time()
        return True

    def piece(self, message: dict[str, Any], *, whole: bool = False) -> str:
        """A message as it goes out; `whole`: it is the whole answer."""
        text = json.dumps(message)
        broken = self.fault == "broken" and (whole or self.sent > self.well)
        return text[: len(text) // 2] if broken else text


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
    that it has now. A status in digits is the answer to whoever comes; "refused": nobody listens.
    While it is "empty" no words are heard, or no sound is made. Others stay with the connections
    that begin meanwhile: "silence", in which nothing is sent; "cut", which dies after messages;
    "broken", where what follows them cannot be read."""

    def __init__(self, speaks: Serves, hears: Iterable[str] = (), fault: str = "") -> None:
        self.speaks = speaks
        self.texts = iter(hears)
        self.fault = fault
        self.visits: list[Visit] = []
        self.refused: list[str] = []
        self.url = ""
        self.listen: Callable[[], Awaitable[None]] | None = None  # while nobody does

    async def mend(self) -> None:
        """From now on all is well."""
        self.fault = ""
        await self.open()

    async def open(self) -> None:
        """Listen, where nobody does yet."""
        if self.listen is not None:
            listen, self.listen = self.listen, None
            await listen()

    def hears(self) -> Iterator[str]:
        """What is made of each utterance."""
        while True:
            yield "" if self.empty else next(self.texts, "")

    @property
    def empty(self) -> bool:
        return self.fault == "empty"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = Request(request.method, request.path, request.query, request.headers, b"")
        visit = Visit(self.fault, request.path, asyncio.get_running_loop().time())
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

    async def send(self, *messages: dict[str, Any]) -> None:
        """Send them, unless the script says otherwise."""
        for message in messages:
            if self.visit.goes_on():
                await self.socket.send_str(self.visit.piece(message))

    async def greet(self, *messages: dict[str, Any]) -> None:
        """Send what comes before all else, and is not counted."""
        await self.send(*messages)
        self.visit.sent -= min(self.visit.sent, len(messages))


@asynccontextmanager
async def open_for_visits(studio: Studio) -> AsyncGenerator[Studio, None]:
    """The studio on a port of its own, while the block runs."""
    async with reserved(studio) as studio.listen:
        if studio.fault != "refused":
            await studio.open()
        yield studio
