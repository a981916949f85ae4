"""What the protocols have in common: a door, and a session for each connection behind it."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from tests.realtime.script import Connection, Model


class Connected:
    """One connection: names for what is made in it, and the work that ends with it."""

    def __init__(self, model: Model, socket: web.WebSocketResponse, connection: Connection) -> None:
        self.model = model
        self.connection = connection
        self._socket = socket
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Read what the client says, to the end of the connection."""
        raise NotImplementedError

    def name(self, kind: str) -> str:
        """A new id, as no other connection has it."""
        return f"{kind}_{len(self.model.connections)}_{next(self._numbers)}"

    def start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()


class Speaks:
    """A protocol over WebSockets, with a model behind it."""

    model: Model

    def refuses(self, request: web.Request) -> str:
        """Why nobody is let in by that request; "" where somebody is."""
        raise NotImplementedError

    def session(self, socket: web.WebSocketResponse, connection: Connection) -> Connected:
        raise NotImplementedError

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if why := self.refuses(request):
            self.model.wrong.append(why)
            return web.Response(status=401, text=why)
        socket = web.WebSocketResponse(max_msg_size=2**24)
        await socket.prepare(request)
        session = self.session(socket, self.model.opened(request, socket))
        try:
            await session.run()
        finally:
            self.model.ended(socket, session.connection)
            session.end()
        return socket
