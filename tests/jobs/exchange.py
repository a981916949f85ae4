"""A LiveKit server with a telephone exchange: the real server, and before it what answers for the
SIP service, over HTTP as the server does. What it is asked waits for the test's answer.

Requests of other services, and connections, go on to the server as they come.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import jwt
from aiohttp import web
from livekit import api

from tests.jobs.workers import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    from tests.livekit_server import LiveKitServer

TWIRP: Final = "/twirp/livekit."
REQUESTS: Final[dict[str, type[Message]]] = {
    "SIP/CreateSIPParticipant": api.CreateSIPParticipantRequest,
    "SIP/TransferSIPParticipant": api.TransferSIPParticipantRequest,
    "RoomService/MoveParticipant": api.MoveParticipantRequest,
}
NOT_PASSED_ON: Final = {"host", "content-length", "transfer-encoding", "connection", "upgrade"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits: what for, and by whose right."""

    method: str
    request: Any
    claims: dict[str, Any]
    reply: Future[web.Response]

    def answer(self, message: Message) -> None:
        body = message.SerializeToString()
        self.reply.set_result(web.Response(body=body, content_type="application/protobuf"))

    def refuse(self, status: int, code: str, msg: str, **meta: str) -> None:
        error = {"code": code, "msg": msg, "meta": meta}
        self.reply.set_result(web.json_response(error, status=status))

    @property
    def given_up(self) -> bool:
        """Whoever asked waits no longer."""
        return self.reply.cancelled()


class Exchange:
    """`moves`: it takes participants from room to room, as LiveKit's cloud does."""

    def __init__(self, server: LiveKitServer) -> None:
        self.asked: list[Asked] = []
        self.moves = False
        self.port = 0
        self._server = server
        self._calls: aiohttp.ClientSession | None = None

    async def is_asked(self, method: str, room: str) -> Asked:
        """The request of that name for a room of that name, or one that begins with it."""
        found: list[Asked] = []

        def came() -> bool:
            found[:] = [
                each
                for each in self.asked
                if each.method == method
                and (getattr(each.request, "room_name", "") or each.request.room).startswith(room)
            ]
            return bool(found)

        await until(came)
        return found[-1]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.path.removeprefix(TWIRP)
        mine = method.startswith("SIP/") or (self.moves and method == "RoomService/MoveParticipant")
        if mine:
            return await self._ask(method, request)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._connect(request)
        assert self._calls is not None
        headers = {k: v for k, v in request.headers.items() if k.lower() not in NOT_PASSED_ON}
        url = f"http://127.0.0.1:{self._server.port}{request.path_qs}"
        async with self._calls.request(
            request.method, url, headers=headers, data=await request.read()
        ) as answer:
            kind = answer.content_type
            return web.Response(status=answer.status, body=await answer.read(), content_type=kind)

    async def _ask(self, method: str, request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, self._server.secret, algorithms=["HS256"])
        message = REQUESTS[method].FromString(await request.read())
        asked = Asked(method, message, claims, Future())
        self.asked.append(asked)
        try:
            return await asyncio.wrap_future(asked.reply)
        except asyncio.CancelledError:
            asked.reply.cancel()
            raise

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        assert self._calls is not None
        here = web.WebSocketResponse(max_msg_size=0)
        url = f"ws://127.0.0.1:{self._server.port}{request.path_qs}"
        right = {"Authorization": request.headers.get("Authorization", "")}
        async with self._calls.ws_connect(
            url, headers={k: v for k, v in right.items() if v}, max_msg_size=0
        ) as there:
            await here.prepare(request)
            ways = {
                asyncio.ensure_future(_pass(here, there)),
                asyncio.ensure_future(_pass(there, here)),
            }
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        await here.close()
        return here

    async def run(self, ready: Future[int], end: asyncio.Event) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.5)
        async with aiohttp.ClientSession(auto_decompress=True) as self._calls:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            ready.set_result(runner.addresses[0][1])
            await end.wait()
            await runner.cleanup()


async def _pass(one: Any, other: Any) -> None:
    async for message in one:
        if message.type is aiohttp.WSMsgType.BINARY:
            await other.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await other.send_str(message.data)


@contextmanager
def exchange_of(server: LiveKitServer) -> Iterator[tuple[Exchange, LiveKitServer]]:
    """The exchange, and the server as it is reached through it."""
    exchange, ready = Exchange(server), Future[int]()
    loop, end = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(exchange.run(ready, end)), name="exchange"
    )
    thread.start()
    try:
        yield exchange, replace(server, port=ready.result(timeout=10))
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()
