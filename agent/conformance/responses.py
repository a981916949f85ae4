"""OpenAI's Responses, by server-sent events and over a WebSocket; it remembers what it answered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from openai.types.responses import response_create_params

from antiphon.conformance.chat import bearer, picture
from antiphon.conformance.strict import only, posted
from antiphon.conformance.wire import Asked, Reply, Request, demand, sse

KNOWN: Final = frozenset(
    response_create_params.ResponseCreateParamsStreaming.__annotations__
) | frozenset(response_create_params.ResponseCreateParamsBase.__annotations__)
PARTS: Final = {"input_text", "output_text", "input_image"}


@dataclass(slots=True)
class Responses:
    """Mutable state: by the response's id, what had been said and called by then."""

    key: str = "secret-key"
    path: str = "/v1/responses"
    websocket: bool = False
    stored: dict[str, Asked] = field(default_factory=dict)
    content_type: str = field(default="text/event-stream", init=False)

    def allow(self, request: Request) -> None:
        bearer(request, self.key)

    def read(self, request: Request) -> Asked:
        body = posted(request, self.path, self.allow)
        demand(body.get("stream") is True, "stream is not true")
        return self.asked(body)

    def asked(self, body: dict[str, Any]) -> Asked:
        """What a request's body says, with what came before it."""
        only(body, KNOWN)
        asked = Asked(body["model"], body=body, choice=body.get("tool_choice"))
        before = body.get("previous_response_id")
        demand(before is None or before in self.stored, f"no response {before}")
        open_calls: set[str] = set()
        if before is not None:
            told = self.stored[before]
            asked.said, asked.called = list(told.said), list(told.called)
            asked.results, asked.images = dict(told.results), list(told.images)
            open_calls = {call_id for call_id, *_ in told.called} - told.results.keys()
        for tool in body.get("tools", ()):
            demand(tool.get("type") == "function", f"a tool of the type {tool.get('type')}")
            demand(tool["parameters"]["type"] == "object", "its parameters are no object")
            asked.tools.append(tool["name"])
        demand(body.get("input"), "no input")
        for item in body["input"]:
            _item(item, asked, open_calls)
        demand(not open_calls, f"{sorted(open_calls)} were called and not answered")
        asked.notes["id"] = f"resp_{len(self.stored)}"
        return asked

    def begin(self, asked: Asked) -> bytes:
        return self._event(asked, "response.created", response=self._response(asked, "in_progress"))

    def word(self, asked: Asked, text: str) -> bytes:
        asked.notes["text"] = asked.notes.get("text", "") + text
        where = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
        return self._event(asked, "response.output_text.delta", delta=text, **where)

    def call(self, asked: Asked, number: int, name: str, arguments: dict[str, Any]) -> bytes:
        item = {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": f"call_{len(asked.called)}_{number}",
            "name": name,
            "arguments": json.dumps(arguments),
            "status": "completed",
        }
        asked.notes.setdefault("calls", []).append((item["call_id"], name, arguments))
        return self._event(asked, "response.output_item.done", output_index=number + 1, item=item)

    def end(self, asked: Asked, reply: Reply, *, filtered: bool = False) -> bytes:
        if filtered:
            response = self._response(asked, "incomplete")
            response["incomplete_details"] = {"reason": "content_filter"}
            return self._event(asked, "response.incomplete", response=response)
        called = [*asked.called, *asked.notes.get("calls", ())]
        said = list(asked.said)  # the plugin sends what was answered once more
        known = Asked(asked.model, said, called=called, results=asked.results)
        self.stored[asked.notes["id"]] = known
        used = reply.used
        response = self._response(asked, "completed")
        response["usage"] = {
            "input_tokens": used.prompt,
            "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": 0},
            "output_tokens": used.out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": used.prompt + used.out,
        }
        return self._event(asked, "response.completed", response=response)

    def broken(self) -> bytes:
        return b'{"type": "resp' if self.websocket else b'data: {"type": "resp\n\n'

    def error(self, status: int, why: str) -> bytes:
        problem = {"message": why, "code": str(status), "param": None}
        if self.websocket:
            return json.dumps({"type": "error", "status": status, "error": problem}).encode()
        return json.dumps({"error": {**problem, "type": "error"}}).encode()

    def _event(self, asked: Asked, kind: str, **fields: Any) -> bytes:
        number = asked.notes["number"] = asked.notes.get("number", -1) + 1
        data = {"type": kind, "sequence_number": number, **fields}
        return json.dumps(data).encode() if self.websocket else sse(data, kind)

    def _response(self, asked: Asked, status: str) -> dict[str, Any]:
        return {
            "id": asked.notes["id"],
            "object": "response",
            "created_at": 1,
            "model": asked.model,
            "status": status,
            "output": [],
            "tools": [],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
        }


def _item(item: dict[str, Any], asked: Asked, open_calls: set[str]) -> None:
    kind = item.get("type", "message")
    if kind == "function_call":
        if any(item["call_id"] == call_id for call_id, *_ in asked.called):
            return  # it was stored with the answer
        open_calls.add(item["call_id"])
        asked.called.append((item["call_id"], item["name"], json.loads(item["arguments"])))
        return
    if kind == "function_call_output":
        demand(item["call_id"] in open_calls, f"an answer to {item['call_id']!r}")
        open_calls.discard(item["call_id"])
        asked.results[item["call_id"]] = str(item["output"])
        return
    demand(kind == "message", f"an item of the type {kind!r}")
    content, text = item["content"], ""
    parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
    for part in parts:
        demand(part["type"] in PARTS, f"a part of the type {part['type']!r}")
        text += part.get("text", "")
        if part["type"] == "input_image":
            asked.images.append(picture(part["image_url"]))
    demand(text or asked.images, "an empty message")
    asked.said.append((item["role"], text))
