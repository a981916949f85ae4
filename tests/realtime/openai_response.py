"""One response of OpenAI's Realtime API: its events in their order, at the pace of its script."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any, Final

from tests.realtime.script import Answer, Made
from tests.realtime.sound import OUT_RATE, Samples

if TYPE_CHECKING:
    from tests.realtime.openai_wire import Session

DELTA: Final = 0.1  # seconds of audio in one event
USAGE: Final = {
    "total_tokens": 170,
    "input_tokens": 120,
    "output_tokens": 50,
    "input_token_details": {
        "cached_tokens": 40,
        "text_tokens": 30,
        "audio_tokens": 90,
        "cached_tokens_details": {"text_tokens": 10, "audio_tokens": 30},
    },
    "output_token_details": {"text_tokens": 12, "audio_tokens": 38},
}


class Response:
    """Mutable state: what was sent of it."""

    def __init__(self, session: Session, asked: dict[str, Any], event_id: str) -> None:
        self.session = session
        self._event_id = event_id
        self.id = session.name("resp")
        self._asked = asked
        self._items: list[dict[str, Any]] = []
        config = session.config
        tools = asked.get("tools") or config.get("tools") or ()
        self.made = Made(
            Answer(),
            session.said(),
            asked.get("instructions") or config.get("instructions") or "",
            [tool["name"] for tool in tools],
            session.now,
        )
        self.made.notes["asked"] = asked
        self._text = config["output_modalities"] == ["text"]
        self._task: asyncio.Task[None] | None = None

    def begin(self, forced: str | None) -> None:
        """What the script says, or a text that the client wants to have said."""
        model = self.session.model
        model.made.append(self.made)
        self.made.answer = model.take(self.made) if forced is None else Answer(forced)
        self._task = self.session.start(self._speak())

    async def _speak(self) -> None:
        answer = self.made.answer
        if answer.fault == "silence":
            await asyncio.sleep(10_000)
        if answer.fault == "error":
            self.session.response = None
            error = {"type": "server_error", "code": "server_error", "message": "by the script"}
            await self.session.send("error", error={**error, "event_id": self._event_id or None})
            return
        await self.session.send("response.created", response=self._state("in_progress"))
        await asyncio.sleep(answer.wait)
        if answer.text or answer.endless:
            await self._message(answer)
        if answer.fault == "stall":
            await asyncio.sleep(10_000)
        if answer.fault == "cut":
            self.session.model.lose()
            return
        for name, arguments in answer.calls:
            await self._call(name, json.dumps(arguments))
        self.made.over = True
        await self._done("failed" if answer.fault == "failed" else "completed")

    async def stop(self, reason: str) -> None:
        """The user has begun to speak, or the client cancels."""
        self.made.stopped = self.session.now
        if self._task is not None:
            self._task.cancel()
        await self._done("cancelled", reason)

    # The message.

    async def _message(self, answer: Answer) -> None:
        item = self._item({"type": "message", "role": "assistant", "content": []})
        self.made.item = item["id"]
        await self._added(item)
        part = {"type": "text", "text": ""} if self._text else {"type": "audio", "transcript": ""}
        await self._send("response.content_part.added", item, content_index=0, part=part)
        self.made.notes["first"] = len(self.session.model.voice.made)
        for spoken, sound in self.session.model.voice.answer(answer.words()):
            await self._word(item, spoken, sound)
        kind = "output_text" if self._text else "output_audio"
        said = {"text" if self._text else "transcript": self.made.said}
        if not self._text:
            await self._send("response.output_audio.done", item, content_index=0)
        done = (
            "response.output_text.done" if self._text else "response.output_audio_transcript.done"
        )
        await self._send(done, item, content_index=0, **said)
        await self._send("response.content_part.done", item, content_index=0, part={**part, **said})
        item["content"] = [{"type": kind, **said}]
        item["status"] = "completed"
        await self._send_item("response.output_item.done", item)

    async def _word(self, item: dict[str, Any], spoken: str, sound: Samples) -> None:
        if self.made.answer.fault == "odd":
            await self.session.raw({"type": "response.mood.changed", "mood": "odd"})
        delta = " " + spoken if self.made.said else spoken
        self.made.said += delta
        name = (
            "response.output_text.delta" if self._text else "response.output_audio_transcript.delta"
        )
        if self.session.model.timed and not self._text:
            item["begins"] = self.made.samples / OUT_RATE
        await self._send(name, item, content_index=0, delta=delta)
        if self._text:
            await asyncio.sleep(0.02)
            return
        size = round(DELTA * OUT_RATE)
        for start in range(0, len(sound), size):
            piece = sound[start : start + size]
            encoded = base64.b64encode(piece.tobytes()).decode()
            await self._send("response.output_audio.delta", item, content_index=0, delta=encoded)
            self.session.model.sent(self.made, len(piece))
            await asyncio.sleep(len(piece) / OUT_RATE / self.made.answer.speed)

    async def _call(self, name: str, arguments: str) -> None:
        item = self._item({"type": "function_call", "name": name, "arguments": ""})
        item["call_id"] = self.session.name("call")
        await self._added(item)
        common = {"call_id": item["call_id"]}
        kind = "response.function_call_arguments"
        await self._send(f"{kind}.delta", item, delta=arguments, **common)
        await self._send(f"{kind}.done", item, arguments=arguments, name=name, **common)
        item["arguments"], item["status"] = arguments, "completed"
        await self._send_item("response.output_item.done", item)

    async def _done(self, status: str, reason: str | None = None) -> None:
        self.session.response = None
        for item in self._items:
            if item["status"] != "completed":
                item["status"] = "incomplete"
                item["content"] = [{"type": "output_audio", "transcript": self.made.said}]
                await self._send_item("response.output_item.done", item)
        usage = USAGE if status in ("completed", "cancelled") else None
        self.session.model.used += usage is not None
        state = self._state(status) | {"usage": usage, "output": self._items}
        if status == "failed":
            error = {"type": "server_error", "code": "overloaded"}
            state["status_details"] = {"type": "failed", "error": error}
        elif reason:
            state["status_details"] = {"type": status, "reason": reason}
        await self.session.send("response.done", response=state)
        limit = {"name": "tokens", "limit": 40_000, "remaining": 39_000, "reset_seconds": 1.0}
        await self.session.send("rate_limits.updated", rate_limits=[limit])

    # Events.

    def _item(self, item: dict[str, Any]) -> dict[str, Any]:
        made = {"id": self.session.name("item"), "status": "in_progress", **item}
        self._items.append(made)
        return made

    async def _added(self, item: dict[str, Any]) -> None:
        await self._send_item("response.output_item.added", item)
        await self.session.add(item)

    async def _send_item(self, kind: str, item: dict[str, Any]) -> None:
        index = self._items.index(item)
        shown = {name: value for name, value in item.items() if name != "heard"}
        await self.session.send(kind, response_id=self.id, output_index=index, item=shown)

    async def _send(self, kind: str, item: dict[str, Any], **fields: Any) -> None:
        index = self._items.index(item)
        common = {"response_id": self.id, "item_id": item["id"], "output_index": index}
        more = {"start_time": begins} if (begins := item.pop("begins", None)) is not None else {}
        await self.session.send(kind, more, **common, **fields)

    def _state(self, status: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "conversation_id": "conv_1",
            "output": [],
            "output_modalities": ["text"] if self._text else ["audio"],
            "metadata": self._asked.get("metadata"),
        }
