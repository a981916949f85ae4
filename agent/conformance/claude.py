"""Anthropic's Messages, with the order of blocks that its API insists on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from antiphon.conformance.strict import only, posted
from antiphon.conformance.wire import Asked, Reply, Request, demand, sse

KNOWN: Final = frozenset(
    "model messages max_tokens system tools tool_choice stream temperature top_k top_p metadata "
    "stop_sequences thinking service_tier".split()
)
BLOCKS: Final = {"user": {"text", "image", "tool_result"}, "assistant": {"text", "tool_use"}}


@dataclass(slots=True)
class Messages:
    key: str = "secret-key"
    content_type: str = field(default="text/event-stream", init=False)

    def allow(self, request: Request) -> None:
        demand(request.headers.get("x-api-key") == self.key, "no such key", 401)
        demand(request.headers.get("anthropic-version"), "anthropic-version is missing")

    def read(self, request: Request) -> Asked:
        body = posted(request, "/v1/messages", self.allow)
        only(body, KNOWN)
        demand(body.get("stream") is True, "stream is not true")
        demand(isinstance(body.get("max_tokens"), int), "no max_tokens")
        asked = Asked(body["model"], body=body, choice=body.get("tool_choice"))
        for part in body.get("system", ()):
            asked.said.append(("system", part["text"]))
        for tool in body.get("tools", ()):
            schema = tool.get("input_schema", {})
            demand(schema.get("type") == "object", "input_schema is no object")
            asked.tools.append(tool["name"])
        demand(asked.tools or asked.choice is None, "tool_choice without tools")
        messages = body.get("messages") or []
        demand(messages and messages[0]["role"] == "user", "the first message is not the user's")
        open_calls: set[str] = set()
        for message in messages:
            open_calls = self._message(message, asked, open_calls)
        demand(not open_calls, f"{sorted(open_calls)} were called and not answered")
        return asked

    def _message(self, message: dict[str, Any], asked: Asked, open_calls: set[str]) -> set[str]:
        role, content = message["role"], message["content"]
        demand(role in BLOCKS, f"a message of the role {role!r}")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        demand(blocks, "a message without content")
        text, calls, answered = "", set(), set()
        for block in blocks:
            kind = block["type"]
            demand(kind in BLOCKS[role], f"a {kind} of the {role}'s")
            if kind == "text":
                demand(block["text"].strip(), "an empty text")
                text += block["text"]
            elif kind == "image":
                asked.images.append(_image(block["source"]))
            elif kind == "tool_use":
                calls.add(block["id"])
                asked.called.append((block["id"], block["name"], block["input"]))
            else:
                answered.add(block["tool_use_id"])
                asked.results[block["tool_use_id"]] = json.dumps(block["content"])
        demand(answered == open_calls, f"answers to {answered}, calls of {open_calls}")
        if text:
            asked.said.append((role, text))
        return calls

    def begin(self, asked: Asked) -> bytes:
        return b""  # it begins with what it used, which only the reply knows

    def word(self, asked: Asked, text: str) -> bytes:
        frames = self._start(asked)
        if "text" not in asked.notes:
            asked.notes["text"] = True
            frames += self._open(asked, {"type": "text", "text": ""})
        return frames + self._delta(asked, {"type": "text_delta", "text": text})

    def call(self, asked: Asked, number: int, name: str, arguments: dict[str, Any]) -> bytes:
        frames = self._start(asked) + self._close(asked)
        call_id = f"toolu_{len(asked.called)}_{number}"
        frames += self._open(asked, {"type": "tool_use", "id": call_id, "name": name, "input": {}})
        given = json.dumps(arguments)
        for part in (given[:4], given[4:]):
            frames += self._delta(asked, {"type": "input_json_delta", "partial_json": part})
        return frames + self._close(asked)

    def end(self, asked: Asked, reply: Reply, *, filtered: bool = False) -> bytes:
        frames = self._start(asked) + self._close(asked)
        reason = "refusal" if filtered else "tool_use" if reply.calls else "end_turn"
        delta = {"stop_reason": reason, "stop_sequence": None}
        usage = {"output_tokens": reply.used.out}
        frames += self._event("message_delta", delta=delta, usage=usage)
        return frames + self._event("message_stop")

    def broken(self) -> bytes:
        return b'event: content_block_delta\ndata: {"type": "content_blo\n\n'

    def error(self, status: int, why: str) -> bytes:
        return json.dumps({"type": "error", "error": {"type": "error", "message": why}}).encode()

    def _start(self, asked: Asked) -> bytes:
        if "started" in asked.notes:
            return b""
        asked.notes["started"] = True
        used = asked.notes["reply"].used
        message: dict[str, Any] = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": used.prompt - used.cached,
                "cache_read_input_tokens": used.cached,
                "cache_creation_input_tokens": 0,
                "output_tokens": 1,  # so far; the last event has all of them
            },
        }
        return self._event("message_start", message=message)

    def _open(self, asked: Asked, block: dict[str, Any]) -> bytes:
        index = asked.notes["block"] = asked.notes.get("block", -1) + 1
        asked.notes["open"] = True
        return self._event("content_block_start", index=index, content_block=block)

    def _delta(self, asked: Asked, delta: dict[str, Any]) -> bytes:
        return self._event("content_block_delta", index=asked.notes["block"], delta=delta)

    def _close(self, asked: Asked) -> bytes:
        if not asked.notes.pop("open", False):
            return b""
        return self._event("content_block_stop", index=asked.notes["block"])

    def _event(self, kind: str, **fields: Any) -> bytes:
        return sse({"type": kind, **fields}, kind)


def _image(source: Any) -> tuple[str, str]:
    if source["type"] == "url":
        return "", source["url"]
    demand(source["type"] == "base64", f"a source of the type {source['type']}")
    kinds = {"image/jpeg", "image/png", "image/gif", "image/webp"}
    demand(source["media_type"] in kinds, f"an image of the type {source['media_type']}")
    return source["media_type"], source["data"]
