"""Gemini's Live API over a WebSocket, by the types of Google's own SDK."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from aiohttp import WSMsgType, web
from pydantic import ValidationError

from tests.realtime.dialects import KEY
from tests.realtime.gemini_turn import Turn
from tests.realtime.sound import Detector, Samples
from tests.realtime.wire import Connected, Speaks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.realtime.script import Connection, Model

PATH: Final = re.compile(  # Google's client writes two slashes where it was given an address
    r"//?ws/google\.ai\.generativelanguage\.v1(alpha|beta)?\.GenerativeService"
    r"\.BidiGenerateContent"
)
IN_RATE: Final = 16_000
BAD: Final = 1007  # the code with which a wrong message is answered


class Refused(Exception):
    """What the provider would close the connection for."""


@dataclass(slots=True)
class Gemini(Speaks):
    """The protocol. A conversation can be taken up again by its handle."""

    model: Model

    def refuses(self, request: web.Request) -> str:
        known = request.headers.get("x-goog-api-key") == KEY
        fine = PATH.fullmatch(request.path) and known
        return "" if fine else f"{request.path}: {request.headers}"

    def session(self, socket: web.WebSocketResponse, connection: Connection) -> Session:
        return Session(self.model, socket, connection)


class Session(Connected):
    """One connection: the conversation, the user's turn, the model's turn."""

    def __init__(self, model: Model, socket: web.WebSocketResponse, connection: Connection) -> None:
        super().__init__(model, socket, connection)
        self.types: Any = import_module("google.genai.types")
        self.said: list[tuple[str, str]] = []
        self.calls: dict[str, str] = {}  # not answered yet: id, name
        self.turn: Turn | None = None
        self.resumes = False
        self._detector: Detector | None = None
        self._sound: list[Samples] = []

    async def run(self) -> None:
        try:
            await self._read()
        except Refused as error:
            self.model.wrong.append(str(error))
            await self._socket.close(code=BAD, message=b"Request contains an invalid argument")

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            event = json.loads(message.data)
            (kind,) = event
            self.model.came.append((asyncio.get_running_loop().time(), kind))
            if (kind == "setup") == bool(self.connection.config):
                raise Refused(f"{kind} at the wrong time")
            if kind == "setup":
                await self._setup(event[kind])
            else:
                found = self._checked(self.types.LiveClientMessage, event)
                await getattr(self, "_" + kind)(getattr(found, kind))

    def _checked(self, kind: Any, event: dict[str, Any]) -> Any:
        try:
            return kind.model_validate_json(json.dumps(event))
        except ValidationError as error:
            raise Refused(str(error)) from None

    async def send(self, **fields: Any) -> None:
        message = self.types.LiveServerMessage.model_validate(fields)
        await self.raw(message.model_dump(mode="json", by_alias=True, exclude_unset=True))

    async def raw(self, message: dict[str, Any]) -> None:
        if not self._socket.closed:
            await self._socket.send_bytes(json.dumps(message).encode())

    async def content(self, **fields: Any) -> None:
        await self.send(server_content=fields)

    async def give_up(self) -> None:
        """Something went wrong in the provider's place."""
        await self._socket.close(code=1011, message=b"Internal error encountered.")

    # The client.

    async def _setup(self, setup: dict[str, Any]) -> None:
        config = dict(setup)
        manual = config.pop("realtimeInputConfig", {})
        self._checked(self.types.RealtimeInputConfig, manual)
        self._checked(self.types.LiveClientSetup, config)
        if not setup.get("model", "").startswith("models/"):
            raise Refused(f"no model {setup.get('model')}")
        self.connection.config.update(setup)
        if not manual.get("automaticActivityDetection", {}).get("disabled"):
            self._detector = Detector(IN_RATE, self.model.silence)
        resumption = setup.get("sessionResumption")
        self.resumes = resumption is not None
        if handle := (resumption or {}).get("handle"):
            if handle not in self.model.handles:
                raise Refused(f"no handle {handle}")
            self.said = list(self.model.handles[handle])
        await self.raw({"setupComplete": {}})

    async def _realtime_input(self, given: Any) -> None:
        if given.audio is not None:
            if given.audio.mime_type != f"audio/pcm;rate={IN_RATE}":
                raise Refused(given.audio.mime_type)
            await self._hear(np.frombuffer(given.audio.data, "<i2"))
        elif given.video is not None:
            if given.video.mime_type != "image/jpeg":
                raise Refused(given.video.mime_type)
            now = asyncio.get_running_loop().time()
            self.model.pictures.append((now, given.video.data))
        elif given.activity_start is not None:
            self._manual()
            await self.interrupt()
        elif given.activity_end is not None:
            self._manual()
            self._over()

    def _manual(self) -> None:
        if self._detector is not None:
            raise Refused("activity is told though it is detected here")

    async def _hear(self, sound: Samples) -> None:
        self._sound.append(sound)
        for what, _ in self._detector.hear(sound) if self._detector else ():
            if what == "began":
                self._sound = self._sound[-5:]
                await self.interrupt()
            else:
                self._over()

    def _over(self) -> None:
        """The user's turn is over."""
        heard = self.model.lines.read(np.concatenate(self._sound), IN_RATE)
        self._sound.clear()
        if heard:
            self.said.append(("user", heard))
        self.respond(heard)

    async def _client_content(self, given: Any) -> None:
        await self.interrupt()
        for turn in given.turns or ():
            if turn.role not in ("user", "model"):
                raise Refused(f"a turn of the role {turn.role!r}")
            text = " ".join(part.text or f"<{part}>" for part in turn.parts)
            self.said.append(("assistant" if turn.role == "model" else "user", text))
        if given.turn_complete:
            self.respond("")

    async def _tool_response(self, given: Any) -> None:
        for response in given.function_responses or ():
            if self.calls.pop(response.id, None) != response.name:
                raise Refused(f"nobody called {response.id} {response.name}")
            self.said.append(("result", json.dumps(response.response)))
        if not self.calls:
            self.respond("")

    # The model.

    def respond(self, heard: str) -> None:
        self.turn = Turn(self, heard)
        self.turn.begin()

    async def interrupt(self) -> None:
        """The user has begun to speak, or the client says something."""
        if self.calls:
            await self.send(tool_call_cancellation={"ids": list(self.calls)})
            self.calls.clear()
        turn, self.turn = self.turn, None
        if turn is not None:
            await turn.stop()

    async def resumable(self) -> None:
        if self.resumes:
            handle = self.name("handle")
            self.model.handles[handle] = list(self.said)
            update = {"new_handle": handle, "resumable": True}
            await self.send(session_resumption_update=update)

    def tools(self) -> Iterator[str]:
        for tool in self.connection.config.get("tools") or ():
            for each in tool["functionDeclarations"]:
                yield each["name"]

    @property
    def instructions(self) -> str:
        parts = (self.connection.config.get("systemInstruction") or {}).get("parts") or ()
        return " ".join(part["text"] for part in parts)
