"""Mistral's two ways: Conversations, which its plugin takes by default, and its chat."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from antiphon.conformance.chat import Chat, bearer, picture, tokens
from antiphon.conformance.strict import only, posted
from antiphon.conformance.wire import Asked, Reply, Request, demand, sse

KNOWN: Final = frozenset(
    "inputs stream store handoff_execution instructions tools completion_args guardrails name "
    "description metadata agent_id agent_version model".split()
)
OWN: Final = frozenset({"max_tokens", "random_seed", "safe_prompt", "guardrails", "prompt_mode"})
DATE: Final = "2026-01-01T00:00:00Z"


@dataclass(slots=True)
class Conversations:
    key: str = "secret-key"
    content_type: str = field(default="text/event-stream", init=False)

    def allow(self, request: Request) -> None:
        bearer(request, self.key)

    def read(self, request: Request) -> Asked:
        body = posted(request, "/v1/conversations", self.allow)
        only(body, KNOWN)
        demand(body.get("stream") is True, "stream is not true")
        asked = Asked(body["model"], body=body)
        if body.get("instructions"):
            asked.said.append(("system", body["instructions"]))
        for tool in body.get("tools") or ():
            demand(tool["type"] == "function", f"a tool of the type {tool['type']}")
            asked.tools.append(tool["function"]["name"])
        demand(body["inputs"], "no inputs")
        open_calls: set[str] = set()
        for entry in body["inputs"]:
            self._entry(entry, asked, open_calls)
        demand(not open_calls, f"{sorted(open_calls)} were called and not answered")
        return asked

    def _entry(self, entry: dict[str, Any], asked: Asked, open_calls: set[str]) -> None:
        kind = entry.get("type")
        if kind == "function.call":
            open_calls.add(entry["tool_call_id"])
            given = entry["arguments"]
            given = json.loads(given) if isinstance(given, str) else given
            asked.called.append((entry["tool_call_id"], entry["name"], given))
        elif kind == "function.result":
            demand(entry["tool_call_id"] in open_calls, f"a result of {entry['tool_call_id']!r}")
            open_calls.discard(entry["tool_call_id"])
            asked.results[entry["tool_call_id"]] = entry["result"]
        else:
            demand(kind in ("message.input", "message.output"), f"an entry of the type {kind!r}")
            content, text = entry["content"], ""
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            for part in parts:
                demand(part["type"] in ("text", "image_url"), f"a chunk of {part['type']!r}")
                text += part.get("text", "")
                if part["type"] == "image_url":
                    url = part["image_url"]
                    asked.images.append(picture(url if isinstance(url, str) else url["url"]))
            asked.said.append((entry["role"], text))

    def begin(self, asked: Asked) -> bytes:
        return self._event("conversation.response.started", conversation_id="conv_1")

    def word(self, asked: Asked, text: str) -> bytes:
        where = {"id": "msg_1", "output_index": 0, "content_index": 0, "role": "assistant"}
        return self._event("message.output.delta", content=text, **where)

    def call(self, asked: Asked, number: int, name: str, arguments: dict[str, Any]) -> bytes:
        given, frames = json.dumps(arguments), b""
        for part in (given[:4], given[4:]):
            frames += self._event(
                "function.call.delta",
                id=f"fc_{number}",
                output_index=number + 1,
                name=name,
                tool_call_id=f"call_{len(asked.called)}_{number}",
                arguments=part,
            )
        return frames

    def end(self, asked: Asked, reply: Reply, *, filtered: bool = False) -> bytes:
        if filtered:
            return self._event("conversation.response.error", message="filtered", code=422)
        return self._event("conversation.response.done", usage=tokens(reply.used))

    def broken(self) -> bytes:
        return b'event: message.output.delta\ndata: {"type": "mess\n\n'

    def error(self, status: int, why: str) -> bytes:
        return json.dumps({"object": "error", "message": why, "type": "error"}).encode()

    def _event(self, kind: str, **fields: Any) -> bytes:
        return sse({"type": kind, "created_at": DATE, **fields}, kind)


@dataclass(slots=True)
class MistralChat(Chat):
    """Chat completions with Mistral's own parameters; each delta of a call names its function."""

    extra: frozenset[str] = OWN

    def call(self, asked: Asked, number: int, name: str, arguments: dict[str, Any]) -> bytes:
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"index": number, "id": f"call{len(asked.called)}{number:08}", "function": function}
        return self._chunk(asked, {"tool_calls": [call]})

    def end(self, asked: Asked, reply: Reply, *, filtered: bool = False) -> bytes:
        reason = "tool_calls" if reply.calls else "stop"
        choice = {"index": 0, "delta": {"content": ""}}
        choice["finish_reason"] = "error" if filtered else reason
        last = {**self._head(asked), "choices": [choice], "usage": tokens(reply.used)}
        return sse(last) + sse("[DONE]")
