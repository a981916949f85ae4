"""What a realtime model of a test does, whatever protocol it speaks, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from antiphon.conformance.wire import counting
from tests.realtime.sound import OUT_RATE, Lines, Numbered

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Iterator

    from tests.realtime.wire import Speaks


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: words, then calls of tools. `endless` words have no end.

    `fault`: "silence" (nothing comes), "stall" (nothing more after the words), "cut" (the
    connection is lost after the words), "failed" (the model gives up after the words), "error" (a
    message of an error instead), "odd" (events that nobody knows, between the words).
    """

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    endless: bool = False
    fault: str = ""
    wait: float = 0.3  # seconds until it begins
    speed: float = 4.0  # times real time

    def words(self) -> Iterator[str]:
        yield from self.text.split()
        if self.endless:
            yield from counting()


@dataclass(slots=True)
class Made:
    """A response, while it is made and afterwards. Times are the loop's."""

    answer: Answer
    asked: list[tuple[str, str]]  # the conversation as the model saw it: role and text, in order
    instructions: str
    tools: list[str]
    began: float
    first: float | None = None  # when the first audio went out
    item: str = ""
    samples: int = 0  # of audio, sent
    said: str = ""  # sent, as text
    over: bool = False  # all of it was sent
    stopped: float | None = None  # when it was told to stop
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Connection:
    """A socket, from its opening to its end."""

    opened: float
    config: dict[str, Any] = field(default_factory=dict)  # as the client last set it
    closed: float | None = None


Script = Callable[[Made], Answer]


class Model:
    """A scripted model behind a protocol.

    `doors` says what comes of the next connections, in order: "" lets in, a status refuses, "hang"
    does not answer. Mutable state: all else, as it happens.
    """

    def __init__(self, *answers: Answer | str, script: Script | None = None) -> None:
        self.answers = [Answer(each) if isinstance(each, str) else each for each in answers]
        self.script = script
        self.doors: list[str] = []
        self.silence = 0.5  # seconds that end a turn, where the server says when
        self.transcribing = 0.1  # seconds from the end of a turn to its transcript
        self.yields = True  # where it listens while it speaks, it falls silent when the user begins
        self.timed = False  # it tells when each word begins
        self.voice = Numbered()
        self.lines = Lines()
        self.made: list[Made] = []
        self.connections: list[Connection] = []
        self.truncated: list[tuple[str, int, float]] = []  # message, milliseconds, loop time
        self.came: list[tuple[float, str]] = []  # every kind of message that came
        self.handles: dict[str, list[tuple[str, str]]] = {}  # conversations that may be resumed
        self.wrong: list[str] = []  # what a provider would refuse
        self.pictures: list[tuple[float, bytes]] = []  # when they came, and a JPEG each
        self.used = 0  # times that it has told what a response used
        self.url = ""
        self.news = asyncio.Event()  # of a response: it is asked for, or its audio begins
        self._open: dict[web.WebSocketResponse, web.Request] = {}
        self._given = 0

    def take(self, made: Made) -> Answer:
        """What is answered now."""
        self.news.set()
        if self.script is not None:
            return self.script(made)
        if self._given >= len(self.answers):
            self.wrong.append(f"response {self._given + 1}, and the script has {self._given}")
            return Answer("?")
        self._given += 1
        return self.answers[self._given - 1]

    def opened(self, request: web.Request, socket: web.WebSocketResponse) -> Connection:
        self._open[socket] = request
        self.connections.append(Connection(asyncio.get_running_loop().time()))
        return self.connections[-1]

    def ended(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        del self._open[socket]
        connection.closed = asyncio.get_running_loop().time()

    def lose(self) -> None:
        """Every connection is lost, as when a cable is pulled."""
        for request in self._open.values():
            if request.transport is not None:
                request.transport.abort()

    def within(self, made: Made, milliseconds: int) -> str:
        """The words of a response that have ended by then."""
        limit, words, ended = milliseconds * OUT_RATE / 1000, made.said.split(), 0
        first = made.notes.get("first", 0)
        for number, _ in enumerate(words):
            ended += self.voice.lengths[first + number]
            if ended > limit:
                return " ".join(words[:number])
        return made.said

    def sent(self, made: Made, samples: int) -> None:
        """Some audio of a response has gone out."""
        if made.first is None:
            made.first = asyncio.get_running_loop().time()
            self.news.set()
        made.samples += samples

    def asked(self, kind: str) -> int:
        """How often a message of that kind came."""
        return sum(found == kind for _, found in self.came)


@asynccontextmanager
async def serving(
    speaks: Speaks, certificate: ssl.SSLContext | None = None
) -> AsyncGenerator[Model, None]:
    """The model on a port of its own, while the block runs."""
    model = speaks.model

    async def handle(request: web.Request) -> web.StreamResponse:
        door = model.doors.pop(0) if model.doors else ""
        if door == "hang":
            await asyncio.sleep(10_000)
        return web.Response(status=int(door)) if door else await speaks.serve(request)

    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", handle)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate).start()
    scheme = "http" if certificate is None else "https"
    model.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield model
    finally:
        await runner.cleanup()
