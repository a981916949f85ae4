"""OpenAI's GPT-Live API over a WebSocket: a model that listens and speaks at the same time.

What comes in and goes out is checked by the types of LiveKit's client, for OpenAI's SDK has none.
The model's sound goes out without an end, silence too, as fast as it is heard; when the user begins
to speak, the model falls silent by itself.
"""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from aiohttp import WSMsgType, web
from livekit.agents.llm._realtime import gpt_live_types as types
from pydantic import ValidationError

from tests.realtime.dialects import LIVE
from tests.realtime.events import Wrong, unknown
from tests.realtime.live_speech import Speech
from tests.realtime.script import Answer, Made
from tests.realtime.sound import OUT_RATE, Detector, Samples
from tests.realtime.wire import Connected, Speaks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.realtime.dialects import Dialect
    from tests.realtime.script import Connection, Model

CLIENT: Final[dict[str, Any]] = {
    each.model_fields["type"].default: each for each in types.ClientEvent.__args__
}
SERVER: Final[dict[str, Any]] = {
    "session.started": types.SessionStartedEvent,
    "session.output_audio.delta": types.OutputAudioDeltaEvent,
    "session.output_transcript.delta": types.TranscriptDeltaEvent,
    "session.input_transcript.delta": types.TranscriptDeltaEvent,
    "session.delegation.created": types.SessionDelegationCreatedEvent,
    "response.event": types.ResponseEventEnvelope,
    "session.usage.updated": types.SessionUsageUpdatedEvent,
    "session.closed": types.SessionClosedEvent,
    "error": types.ErrorEvent,
}
WORD: Final = 0.3  # seconds of each of the caller's words
BACKEND: Final = "gpt-5.6-luna"
USED: Final = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}


@dataclass(slots=True)
class Live(Speaks):
    """The protocol; `dialect` is where it is spoken."""

    model: Model
    dialect: Dialect = LIVE

    def refuses(self, request: web.Request) -> str:
        return self.dialect.refuses(request)

    def session(self, socket: web.WebSocketResponse, connection: Connection) -> Session:
        return Session(self.model, socket, connection)


class Session(Connected):
    """One connection: what was said, what is being heard, what is being said."""

    def __init__(self, model: Model, socket: web.WebSocketResponse, connection: Connection) -> None:
        super().__init__(model, socket, connection)
        self.said: list[tuple[str, str]] = []
        self.speech = Speech(self)
        self._started: float | None = None
        self._detector = Detector(OUT_RATE, model.silence)
        self._sound: list[Samples] = []
        self._calls: dict[str, bool] = {}  # of tools: has it an answer?

    @property
    def now(self) -> float:
        """Milliseconds of the session."""
        assert self._started is not None
        return (asyncio.get_running_loop().time() - self._started) * 1000

    async def run(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            kind = str(event.get("type"))
            self.model.came.append((asyncio.get_running_loop().time(), kind))
            try:
                self._check(kind, event)
                await getattr(self, "on_" + kind.replace(".", "_"))(event)
            except Wrong as wrong:
                self.model.wrong.append(f"{wrong.code}: {wrong}")
                error = {"code": wrong.code, "message": str(wrong)}
                await self.send("error", error=error)

    def _check(self, kind: str, event: dict[str, Any]) -> None:
        if kind not in CLIENT:
            raise Wrong(f"Invalid value: {kind!r}")
        if (kind == "session.start") == (self._started is not None):
            raise Wrong(f"{kind} at the wrong time")
        try:
            found = CLIENT[kind].model_validate(event)
        except ValidationError as error:
            raise Wrong(f"{kind}: {error}") from None
        if more := list(unknown(found, kind)):
            raise Wrong(f"Unknown parameters: {more}", "unknown_parameter")

    async def send(self, kind: str, **fields: Any) -> None:
        event = SERVER[kind].model_validate({"type": kind, **fields})
        more = list(unknown(event, kind))
        assert not more, more
        if not self._socket.closed:
            with suppress(ConnectionError):
                await self._socket.send_str(json.dumps({"type": kind, **fields}))

    # The client.

    async def on_session_start(self, event: dict[str, Any]) -> None:
        config = event["session"]
        self.connection.config.update(config)
        for item in config.get("input") or ():
            words = " ".join(part["text"] for part in item["content"])
            self.said.append((item["role"], words))
        self._started = asyncio.get_running_loop().time()
        await self.send("session.started", session={"id": self.name("session")})
        self.start(self.speech.run())

    async def on_session_update(self, event: dict[str, Any]) -> None:
        changes = event["session"]["delegation"]["responses"]
        self.connection.config["delegation"]["responses"].update(changes)

    async def on_session_close(self, event: dict[str, Any]) -> None:
        await self._used("session.closed", reason="close_requested")
        await self._socket.close()

    async def on_session_input_audio_append(self, event: dict[str, Any]) -> None:
        sound = np.frombuffer(base64.b64decode(event["audio"], validate=True), "<i2")
        self._sound.append(sound)
        for what, _ in self._detector.hear(sound):
            if what == "began":
                self._sound = self._sound[-3:]
                if self.model.yields:
                    self.speech.stop()
            else:
                await self._over()

    async def _over(self) -> None:
        heard = self.model.lines.read(np.concatenate(self._sound), OUT_RATE)
        self._sound.clear()
        words = heard.split()
        begun = self.now - self.model.silence * 1000 - len(words) * WORD * 1000
        for number, word in enumerate(words):
            at = round(begun + number * WORD * 1000)
            span = {"start_ms": at, "end_ms": at + round(WORD * 1000)}
            delta = f" {word}" if number else word
            await self.send("session.input_transcript.delta", delta=delta, **span)
        self.said.append(("user", heard))
        if not self.speech.speaking:
            self.answer()

    async def on_session_instructions_append(self, event: dict[str, Any]) -> None:
        self.connection.config["instructions"] += "\n" + event["content"]

    async def on_session_thinking_append(self, event: dict[str, Any]) -> None:
        self.said.append(("thought", event["content"]))

    async def on_session_commentary_append(self, event: dict[str, Any]) -> None:
        self.said.append(("asked", event["content"]))
        self.answer()

    async def on_response_item_create(self, event: dict[str, Any]) -> None:
        item = event["item"]
        if self._calls.get(item["call_id"]) is not False:
            raise Wrong(f"nobody called {item['call_id']}, or it was answered")
        self._calls[item["call_id"]] = True
        self.said.append(("result", item["output"]))

    async def on_response_create(self, event: dict[str, Any]) -> None:
        if not self._calls or not all(self._calls.values()):
            raise Wrong(f"not every call has its answer: {self._calls}")
        self._calls.clear()
        self.answer()

    # The model.

    def answer(self) -> None:
        """It has something to answer to."""
        config, loop = self.connection.config, asyncio.get_running_loop()
        made = Made(
            Answer(),
            list(self.said),
            config.get("instructions") or "",
            list(self._tools()),
            loop.time(),
        )
        self.model.made.append(made)
        made.answer = self.model.take(made)
        self.speech.begin(made)

    def _tools(self) -> Iterator[str]:
        responses = self.connection.config["delegation"].get("responses") or {}
        for tool in responses.get("tools") or ():
            yield tool["name"]

    async def call(self, calls: tuple[tuple[str, dict[str, Any]], ...]) -> None:
        """The voice hands work to the model behind it, which calls tools."""
        delegation = self.name("delegation")
        about = {"id": delegation, "target": "responses"}
        await self.send("session.delegation.created", delegation=about)
        response = {"id": self.name("resp"), "model": BACKEND}
        await self._behind(delegation, "response.created", response=response)
        for name, arguments in calls:
            call = {"call_id": self.name("call"), "name": name, "arguments": json.dumps(arguments)}
            item = {"id": self.name("item"), "type": "function_call", "status": "completed", **call}
            self._calls[call["call_id"]] = False
            self.said.append(("call", f"{name}({call['arguments']})"))
            await self._behind(delegation, "response.output_item.done", item=item)
        await self._behind(delegation, "response.completed", response={**response, "usage": USED})

    async def _behind(self, delegation: str, kind: str, **fields: Any) -> None:
        event = {"type": kind, **fields}
        await self.send("response.event", delegation_id=delegation, event=event)

    async def used(self) -> None:
        await self._used("session.usage.updated")

    async def _used(self, kind: str, **fields: Any) -> None:
        await self.send(kind, usage={"seconds": self.now / 1000}, **fields)
