"""A loopback server for a model to ask: it is strict, and it knows when it was left.

What it is asked is read by a protocol, which refuses what the provider would refuse; what it
answers is a `Reply`, in that protocol's own form.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import WSMessage, web

from antiphon.pipeline.streams import Scope, Silent, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

PACE: Final = 0.02  # seconds between two words
WORDS: Final = "one two three four five six seven eight nine ten".split()


def counting() -> Iterator[str]:
    """Words without an end, five to a sentence."""
    for number in itertools.count(1):
        yield f"{WORDS[number % 10]}{'.' if number % 5 == 0 else ''}"


@dataclass(frozen=True, slots=True)
class Used:
    """What a reply cost, as the provider counts: tokens of the prompt, of it cached, and out."""

    prompt: int = 120
    cached: int = 40
    out: int = 9


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answers: words, then calls of tools. `endless` words have no end.

    `fault`: what goes wrong instead: a status in digits, "silence" before the first word; "cut",
    "stall" or "broken" after the last one; "filtered" where it ends.
    """

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    endless: bool = False
    fault: str = ""
    used: Used = field(default_factory=Used)

    def words(self) -> Iterator[str]:
        yield from self.text.split()
        if self.endless:
            yield from counting()


@dataclass(slots=True)
class Asked:
    """A request, as every protocol can say it, and what became of it."""

    model: str
    said: list[tuple[str, str]] = field(default_factory=list)  # role and text, in order
    images: list[tuple[str, str]] = field(default_factory=list)  # media type; URL or base64
    tools: list[str] = field(default_factory=list)
    choice: Any = None
    called: list[tuple[str, str, Any]] = field(default_factory=list)  # id, name, arguments
    results: dict[str, str] = field(default_factory=dict)  # by call id
    body: dict[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    began: float = 0.0
    first: float = 0.0  # when the first word was written
    sent: int = 0  # words
    left: float | None = None  # when the client closed the connection before the end
    over: bool = False
    ended: float = 0.0  # when its end was sent
    notes: dict[str, Any] = field(default_factory=dict)  # the protocol's own, while it answers


class Refused(Exception):
    """The request is wrong; what a provider would answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def demand(fine: object, why: str, status: int = 400) -> None:
    """Refuse the request unless `fine`."""
    if not fine:
        raise Refused(status, why)


@dataclass(slots=True)
class Request:
    """What came over the wire, whole."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    data: bytes

    def json(self) -> dict[str, Any]:
        kind = self.headers.get("Content-Type", "")
        demand(kind.split(";")[0] == "application/json", f"Content-Type is {kind}", 415)
        try:
            body = json.loads(self.data)
        except ValueError:
            raise Refused(400, "the body is no JSON") from None
        demand(isinstance(body, dict), "the body is no object")
        return dict(body)


class Speaks(Protocol):
    """A provider's protocol."""

    content_type: str

    def allow(self, request: Request) -> None:
        """Refuse who has no key."""
        ...

    def read(self, request: Request) -> Asked:
        """What is asked; Refused where the provider would refuse it."""
        ...

    def begin(self, asked: Asked) -> bytes: ...
    def word(self, asked: Asked, text: str) -> bytes: ...
    def call(self, asked: Asked, number: int, name: str, arguments: dict[str, Any]) -> bytes: ...
    def end(self, asked: Asked, reply: Reply, *, filtered: bool = False) -> bytes: ...
    def broken(self) -> bytes:
        """A frame that cannot be read."""
        ...

    def error(self, status: int, why: str) -> bytes: ...


Script = Callable[[Asked], Reply]


class Server:
    """Mutable state: what is answered (in order, or by a function), and what was asked."""

    def __init__(self, speaks: Speaks, *replies: Reply | str, script: Script | None = None) -> None:
        self.speaks = speaks
        self.replies = [Reply(each) if isinstance(each, str) else each for each in replies]
        self.script = script
        self.asked: list[Asked] = []
        self.refused: list[str] = []
        self.url = ""

    def next(self, asked: Asked) -> Reply:
        if self.script is not None:
            return self.script(asked)
        number = len(self.asked) - 1
        if number < len(self.replies):
            return self.replies[number]
        raise Refused(409, f"request {number + 1}, and the script has {len(self.replies)}")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = Request(
            request.method, request.path, request.query, request.headers, await request.read()
        )
        try:
            if request.headers.get("Upgrade") == "websocket":
                return await Spoken(self).handle(request, raw)
            if request.method == "GET":
                return self._warmed(raw)
            asked = self.speaks.read(raw)
            asked.headers, asked.path = raw.headers, raw.path
            asked.began = asyncio.get_running_loop().time()
            self.asked.append(asked)
            reply = self.next(asked)
        except Refused as error:
            self.refused.append(f"{error.status} {raw.method} {raw.path}: {error}")
            return self._error(error.status, str(error))
        return await self._answer(request, asked, reply)

    def _warmed(self, request: Request) -> web.Response:
        """A model opens its connection before it is asked anything: by its list of models."""
        demand(request.path.endswith("/models"), f"there is no {request.path}", 404)
        self.speaks.allow(request)
        return web.json_response({"object": "list", "data": []})

    async def _answer(self, request: web.Request, asked: Asked, reply: Reply) -> web.StreamResponse:
        try:
            if reply.fault.isdigit():
                return self._error(int(reply.fault), "by the script")
            if reply.fault == "silence":
                await asyncio.sleep(10_000)
            answer = web.StreamResponse(headers={"Content-Type": self.speaks.content_type})
            answer.headers["x-amzn-RequestId"] = f"request-{len(self.asked)}"
            await answer.prepare(request)
            for frame in self.frames(asked, reply):
                await answer.write(frame)
                await asyncio.sleep(PACE)
            if reply.fault == "cut":
                assert request.transport is not None
                request.transport.abort()
                return answer
            if reply.fault == "stall":
                await asyncio.sleep(10_000)
            await answer.write_eof()
            asked.over = True
        except (asyncio.CancelledError, ConnectionResetError):
            asked.left = asyncio.get_running_loop().time()
            raise
        return answer

    def frames(self, asked: Asked, reply: Reply) -> Iterator[bytes]:
        asked.notes["reply"] = reply
        if first := self.speaks.begin(asked):
            yield first
        for word in reply.words():
            asked.sent += 1
            asked.first = asked.first or asyncio.get_running_loop().time()
            yield self.speaks.word(asked, word + " ")
        if reply.fault in ("cut", "stall"):
            return
        if reply.fault == "broken":
            yield self.speaks.broken()
            return
        for number, (name, arguments) in enumerate(reply.calls):
            yield self.speaks.call(asked, number, name, arguments)
        asked.ended = asyncio.get_running_loop().time()
        yield self.speaks.end(asked, reply, filtered=reply.fault == "filtered")

    def _error(self, status: int, why: str) -> web.Response:
        headers = {"Content-Type": "application/json", "x-amzn-RequestId": "refused"}
        if status == 429:
            headers["Retry-After"] = "1"
        return web.Response(status=status, body=self.speaks.error(status, why), headers=headers)


class Spoken:
    """A WebSocket of a protocol that can be spoken over one: a request a message."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.speaks: Any = server.speaks

    async def handle(self, request: web.Request, raw: Request) -> web.WebSocketResponse:
        demand(self.speaks.websocket, "no WebSocket here", 426)
        demand(raw.path == self.speaks.path, f"there is no {raw.path}", 404)
        self.speaks.allow(raw)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            async with Scope("socket") as scope:
                coming = scope.pipe("messages", socket, ahead=8)
                message = await _next(coming)
                while message is not None:
                    body = json.loads(message.data)
                    demand(body.pop("type") == "response.create", "it is no response.create")
                    asked = self.speaks.asked(body)
                    message = await self._answer(socket, asked, raw, coming) or await _next(coming)
        except Refused as error:
            self.server.refused.append(f"{error.status} {raw.path}: {error}")
            await socket.send_str(self.speaks.error(error.status, str(error)).decode())
        finally:
            for left in self.server.asked:
                if left.notes.get("socket") is socket and not left.over and left.left is None:
                    left.left = asyncio.get_running_loop().time()
        return socket

    async def _answer(
        self,
        socket: web.WebSocketResponse,
        asked: Asked,
        raw: Request,
        coming: Stream[WSMessage],
    ) -> WSMessage | None:
        """Answer until the end, or until something comes, which is the next request or its end."""
        asked.headers, asked.path = raw.headers, raw.path
        asked.notes["socket"] = socket
        asked.began = asyncio.get_running_loop().time()
        self.server.asked.append(asked)
        reply = self.server.next(asked)
        if reply.fault.isdigit():
            text = self.speaks.error(int(reply.fault), "by the script").decode()
            await socket.send_str(text)
            return None
        if reply.fault == "silence":
            return await _next(coming)
        for frame in self.server.frames(asked, reply):
            with suppress(Silent):
                return await _next(coming, PACE)
            await socket.send_str(frame.decode())
        if reply.fault == "stall":
            return await _next(coming)
        if reply.fault == "cut":
            await socket.close(code=1011)
        asked.over = not reply.fault
        return None


async def _next(coming: Stream[WSMessage], within: float | None = None) -> WSMessage | None:
    """What comes next; None when the client has left, Silent after `within` seconds."""
    try:
        return await coming.next(within)
    except StopAsyncIteration:
        return None


@asynccontextmanager
async def serving(server: Server) -> AsyncGenerator[Server, None]:
    """The server on a port of its own, while the block runs."""
    async with reserved(server) as listen:
        await listen()
        yield server


class Served(Protocol):
    """What has a port of its own: `url` is where, once it has."""

    url: str

    async def handle(self, request: web.Request) -> web.StreamResponse: ...


@asynccontextmanager
async def reserved(server: Served) -> AsyncGenerator[Callable[[], Awaitable[None]], None]:
    """A port for the server, where every connection is refused until what this gives is called."""
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    with closing(socket.socket()) as place:
        place.bind(("127.0.0.1", 0))
        server.url = f"http://127.0.0.1:{place.getsockname()[1]}"
        await runner.setup()
        try:
            yield web.SockSite(runner, place).start
        finally:
            await runner.cleanup()


def sse(data: object, event: str | None = None) -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()
