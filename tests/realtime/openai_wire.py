"""OpenAI's Realtime API over a WebSocket, as its documentation and the SDK's types have it."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from aiohttp import WSMsgType, web

from tests.realtime import dialects, events
from tests.realtime.events import Wrong
from tests.realtime.openai_response import Response
from tests.realtime.sound import OUT_RATE, Detector, Samples
from tests.realtime.wire import Connected, Speaks

if TYPE_CHECKING:
    from tests.realtime.dialects import Dialect
    from tests.realtime.script import Connection, Model

SHORTEST: Final = 0.1  # seconds of audio that may be committed
DEFAULT: Final = {"type": "realtime", "output_modalities": ["audio"], "instructions": ""}


@dataclass(slots=True)
class OpenAI(Speaks):
    """The protocol; `dialect` is another provider's way of speaking it."""

    model: Model
    dialect: Dialect = field(default_factory=lambda: dialects.OPENAI)

    def refuses(self, request: web.Request) -> str:
        return self.dialect.refuses(request)

    def session(self, socket: web.WebSocketResponse, connection: Connection) -> Session:
        return Session(self, socket, connection)


class Session(Connected):
    """One connection: its conversation, its input buffer, and the response that is being made."""

    def __init__(
        self, speaks: OpenAI, socket: web.WebSocketResponse, connection: Connection
    ) -> None:
        super().__init__(speaks.model, socket, connection)
        self.speaks = speaks
        self.items: list[dict[str, Any]] = []
        self.response: Response | None = None
        self._buffer: list[Samples] = []
        self._turn = ""  # the item that the voice being heard will become
        self._detector: Detector | None = None

    @property
    def config(self) -> dict[str, Any]:
        return self.connection.config

    async def run(self) -> None:
        self.config.update(DEFAULT)
        await self.send("session.created", session=DEFAULT)
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            kind = str(event.get("type"))
            self.model.came.append((self.now, kind))
            try:
                if forced := self.speaks.dialect.forced(event):
                    self.respond(forced=forced)
                    continue
                event = events.read(self.speaks.dialect.plain(event))
                await getattr(self, "on_" + kind.replace(".", "_"))(event)
            except Wrong as wrong:
                await self.refuse(wrong, str(event.get("event_id") or wrong.event_id))

    async def send(self, kind: str, more: dict[str, Any] | None = None, **fields: Any) -> None:
        """An event; `more` is what some servers add to what the types have."""
        event = events.written(kind, event_id=self.name("event"), **fields)
        await self.raw(event | (more or {}))

    async def raw(self, event: dict[str, Any]) -> None:
        if not self._socket.closed:
            await self._socket.send_str(json.dumps(event))

    async def refuse(self, wrong: Wrong, event_id: str) -> None:
        """Tell the client; what a session must never do is noted."""
        error = {
            "type": "invalid_request_error",
            "code": wrong.code,
            "message": str(wrong),
            "event_id": event_id or None,
        }
        if wrong.code not in dialects.EXPECTED:
            self.model.wrong.append(f"{wrong.code}: {wrong}")
        await self.send("error", error=error)

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    # The session.

    async def on_session_update(self, event: dict[str, Any]) -> None:
        wanted = event["session"]
        audio = wanted.get("audio") or {}
        spoken = any(made.samples for made in self.model.made)
        if spoken and "voice" in (audio.get("output") or {}):
            before = self.config.get("output", {}).get("voice")
            if len(self.model.connections) == 1 and before != audio["output"]["voice"]:
                raise Wrong("the voice cannot change now", "cannot_update_voice")
        for side in ("input", "output"):
            if audio.get(side):
                self.config.setdefault(side, {}).update(audio[side])
        self.config.update({k: v for k, v in wanted.items() if k != "audio"})
        self._detect()
        session = {"type": "realtime", "instructions": self.config["instructions"] or ""}
        await self.send("session.updated", session=session)

    def _detect(self) -> None:
        wanted = self.config.get("input", {}).get("turn_detection")
        if wanted is None:
            self._detector = None
        elif self._detector is None:
            self._detector = Detector(OUT_RATE, self.model.silence)

    # What the user says.

    async def on_input_audio_buffer_append(self, event: dict[str, Any]) -> None:
        sound = np.frombuffer(base64.b64decode(event["audio"], validate=True), "<i2")
        self._buffer.append(sound)
        if self._detector is None:
            return
        for what, at in self._detector.hear(sound):
            if what == "began":
                await self._began(round(at * 1000))
            else:
                await self._ended(round(at * 1000))

    async def _began(self, at: int) -> None:
        self._turn = self.name("item")
        self._buffer = self._buffer[-3:]
        await self.send("input_audio_buffer.speech_started", audio_start_ms=at, item_id=self._turn)
        if self._says("interrupt_response") and self.response is not None:
            await self.response.stop("turn_detected")

    async def _ended(self, at: int) -> None:
        await self.send("input_audio_buffer.speech_stopped", audio_end_ms=at, item_id=self._turn)
        await self._commit(self._turn)
        if self._says("create_response") and self.response is None:
            self.respond()

    def _says(self, what: str) -> bool:
        """What the client has set of the turn detection; the default is yes."""
        detection = self.config.get("input", {}).get("turn_detection") or {}
        return detection.get(what) is not False

    async def on_input_audio_buffer_commit(self, event: dict[str, Any]) -> None:
        if sum(map(len, self._buffer)) < SHORTEST * OUT_RATE:
            raise Wrong("the buffer is too small", "input_audio_buffer_commit_empty")
        await self._commit(self.name("item"))

    async def on_input_audio_buffer_clear(self, event: dict[str, Any]) -> None:
        self._buffer.clear()
        await self.send("input_audio_buffer.cleared")

    async def _commit(self, name: str) -> None:
        sound = np.concatenate(self._buffer)
        self._buffer.clear()
        previous = self.items[-1]["id"] if self.items else None
        await self.send("input_audio_buffer.committed", item_id=name, previous_item_id=previous)
        content = [{"type": "input_audio", "transcript": None}]
        item = {"type": "message", "id": name, "role": "user", "content": content}
        item |= {"status": "completed", "heard": self.model.lines.read(sound, OUT_RATE)}
        await self.add(item)
        if self.config.get("input", {}).get("transcription"):
            self.start(self._transcribe(item))

    async def _transcribe(self, item: dict[str, Any]) -> None:
        await asyncio.sleep(self.model.transcribing)
        kind = "conversation.item.input_audio_transcription"
        text = item["heard"]
        for word in text.split():
            delta = word if word == text.split()[0] else " " + word
            await self.send(f"{kind}.delta", item_id=item["id"], content_index=0, delta=delta)
        usage = {"type": "duration", "seconds": 1.0}
        await self.send(
            f"{kind}.completed", item_id=item["id"], content_index=0, transcript=text, usage=usage
        )

    # The conversation.

    async def add(self, item: dict[str, Any], after: str | None = "") -> None:
        """Put an item behind another; "": at the end, None: at the beginning."""
        at = len(self.items) if after == "" else self.place(after)
        before = self.items[at - 1]["id"] if at else None
        self.items.insert(at, item)
        known = {name: value for name, value in item.items() if name != "heard"}
        await self.send("conversation.item.added", item=known, previous_item_id=before)
        if item.get("status") == "completed":
            await self.send("conversation.item.done", item=known, previous_item_id=before)

    def place(self, name: str | None) -> int:
        """The index after that item."""
        if name is None:
            return 0
        for index, item in enumerate(self.items):
            if item["id"] == name:
                return index + 1
        raise Wrong(f"there is no item {name!r}", "item_not_found")

    def item(self, name: str) -> dict[str, Any]:
        return self.items[self.place(name) - 1]

    async def on_conversation_item_create(self, event: dict[str, Any]) -> None:
        item = event["item"] | {"status": "completed"}
        item["id"] = item.get("id") or self.name("item")
        if any(item["id"] == each["id"] for each in self.items):
            raise Wrong(f"item {item['id']} is there already", "item_create_duplicate_item_id")
        calls = [i["call_id"] for i in self.items if i["type"] == "function_call"]
        if item["type"] == "function_call_output" and item["call_id"] not in calls:
            raise Wrong(f"nobody called {item['call_id']}", "invalid_tool_call_id")
        self._shaped(item)
        after = event.get("previous_item_id")
        await self.add(item, "" if after is None else None if after == "root" else after)

    def _shaped(self, item: dict[str, Any]) -> None:
        """Each role has its own kind of contents."""
        if item["type"] != "message":
            return
        fine = {
            "user": {"input_text", "input_audio", "input_image"},
            "assistant": {"output_text", "output_audio"},
            "system": {"input_text"},
        }
        for part in item["content"]:
            if part["type"] not in fine[item["role"]]:
                raise Wrong(f"{part['type']} in a message of the {item['role']}'s")
            if part["type"] == "input_image":
                self._shown(part["image_url"])

    def _shown(self, url: str) -> None:
        """The user shows something: data, for nothing is fetched here."""
        head, _, data = url.partition(",")
        if head != "data:image/jpeg;base64":
            raise Wrong(f"{head} is no picture")
        self.model.pictures.append((self.now, base64.b64decode(data, validate=True)))

    async def on_conversation_item_delete(self, event: dict[str, Any]) -> None:
        self.items.pop(self.place(event["item_id"]) - 1)
        await self.send("conversation.item.deleted", item_id=event["item_id"])

    async def on_conversation_item_truncate(self, event: dict[str, Any]) -> None:
        name, end = event["item_id"], event["audio_end_ms"]
        self.model.truncated.append((name, end, self.now))
        item = self.item(name)
        made = next((each for each in self.model.made if each.item == name), None)
        if made is None or not made.samples or item.get("role") != "assistant":
            raise Wrong(f"{name} has no audio of the model's", "invalid_value")
        has = made.samples * 1000 // OUT_RATE
        if end > has:
            raise Wrong(f"the audio of {name} has {has} ms, not {end}", "audio_too_short")
        item["content"] = [{"type": "output_audio", "transcript": None}]
        item["heard"] = self.model.within(made, end)
        await self.send(
            "conversation.item.truncated", item_id=name, content_index=0, audio_end_ms=end
        )

    # Responses.

    async def on_response_create(self, event: dict[str, Any]) -> None:
        if self.response is not None:
            message = f"there is an active response {self.response.id}"
            raise Wrong(message, "conversation_already_has_active_response")
        self.respond(event.get("response") or {}, str(event.get("event_id") or ""))

    async def on_response_cancel(self, event: dict[str, Any]) -> None:
        if self.response is None:
            raise Wrong("Cancellation failed: no active response", "response_cancel_not_active")
        await self.response.stop("client_cancelled")

    def respond(
        self, asked: dict[str, Any] | None = None, event_id: str = "", forced: str | None = None
    ) -> None:
        self.response = Response(self, asked or {}, event_id)
        self.response.begin(forced)

    def said(self) -> list[tuple[str, str]]:
        """The conversation as the model sees it."""
        found = []
        for item in self.items:
            if item["type"] == "message":
                words = [
                    str(part.get("text") or part.get("transcript") or "")
                    for part in item["content"]
                ]
                said = item.get("heard") or " ".join(filter(None, words))
                if said or item["content"][0]["type"] != "input_image":
                    found.append((item["role"], said))
            elif item["type"] == "function_call":
                found.append(("call", f"{item['name']}({item['arguments']})"))
            else:
                found.append(("result", item["output"]))
        return found
