"""OpenAI's chat completions, as strictly as OpenAI reads them; spoken by most providers."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from openai.types.chat import completion_create_params

from antiphon.conformance.strict import only
from antiphon.conformance.wire import Asked, Reply, Request, Used, demand, sse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STREAMING: Final = completion_create_params.CompletionCreateParamsStreaming
KNOWN: Final = frozenset(STREAMING.__annotations__) | frozenset(
    completion_create_params.CompletionCreateParamsBase.__annotations__
)
ROLES: Final = {"developer", "system", "user", "assistant", "tool"}
NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def bearer(request: Request, key: str) -> None:
    """The key in the place where most providers want it."""
    demand(request.headers.get("Authorization") == f"Bearer {key}", "no such key", 401)


def tokens(used: Used) -> dict[str, Any]:
    """What was used, as providers tell it that do not tell what was cached."""
    return {
        "prompt_tokens": used.prompt,
        "completion_tokens": used.out,
        "total_tokens": used.prompt + used.out,
    }


@dataclass(slots=True)
class Chat:
    """`path` it is served at, `key` it asks for; `extra` parameters that a provider adds."""

    path: str = "/v1/chat/completions"
    key: str = "secret-key"
    header: str = "Authorization"
    extra: frozenset[str] = frozenset()
    packed: bool = False  # bodies come as gzipped msgpack
    content_type: str = field(default="text/event-stream", init=False)

    def read(self, request: Request) -> Asked:
        demand(request.method == "POST", f"{request.method} is not allowed", 405)
        demand(request.path == self.path, f"there is no {request.path}", 404)
        self.allow(request)
        body = self._body(request)
        only(body, KNOWN | self.extra)
        demand(body.get("stream") is True, "stream is not true")
        demand(isinstance(body.get("model"), str) and body["model"], "no model")
        asked = Asked(body["model"], body=body, choice=body.get("tool_choice"))
        for tool in body.get("tools", ()):
            asked.tools.append(_tool(tool))
        demand("tools" not in body or asked.tools, "tools is empty")
        demand(asked.tools or asked.choice is None, "tool_choice without tools")
        demand(body.get("messages"), "no messages")
        for message in _answered(body["messages"]):
            _read(message, asked)
        return asked

    def allow(self, request: Request) -> None:
        """Refuse who has no key."""
        if self.header == "Authorization":
            bearer(request, self.key)
        else:
            demand(request.headers.get(self.header) == self.key, "no such key", 401)

    def _body(self, request: Request) -> dict[str, Any]:
        if not self.packed:
            return request.json()
        msgpack: Any = import_module("msgpack")
        kind = request.headers.get("Content-Type")
        demand(kind == "application/vnd.msgpack", f"Content-Type is {kind}", 415)
        demand(request.headers.get("Content-Encoding") == "gzip", "not compressed", 415)
        data = request.data  # the server has unpacked it already, where it says what it is
        unpacked = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        return dict(msgpack.unpackb(unpacked))

    def begin(self, asked: Asked) -> bytes:
        return self._chunk(asked, {"role": "assistant", "content": ""})

    def word(self, asked: Asked, text: str) -> bytes:
        return self._chunk(asked, {"content": text})

    def call(self, asked: Asked, number: int, name: str, arguments: dict[str, Any]) -> bytes:
        given = json.dumps(arguments)
        function = {"name": name, "arguments": ""}
        call_id = f"call_{len(asked.called)}_{number}"
        first = {"index": number, "id": call_id, "type": "function", "function": function}
        frames = self._chunk(asked, {"tool_calls": [first]})
        for part in (given[:4], given[4:]):  # in pieces, as it is generated
            piece = {"index": number, "function": {"arguments": part}}
            frames += self._chunk(asked, {"tool_calls": [piece]})
        return frames

    def end(self, asked: Asked, reply: Reply, *, filtered: bool = False) -> bytes:
        reason = "tool_calls" if reply.calls else "stop"
        frames = self._chunk(asked, {}, "content_filter" if filtered else reason)
        used = reply.used
        usage = tokens(used) | {"prompt_tokens_details": {"cached_tokens": used.cached}}
        if (asked.body.get("stream_options") or {}).get("include_usage"):
            frames += sse({**self._head(asked), "choices": [], "usage": usage})
        return frames + sse("[DONE]")

    def broken(self) -> bytes:
        return b'data: {"id": "chatcmpl-1", "choices": [{"delta": {"con\n\n'

    def error(self, status: int, why: str) -> bytes:
        return json.dumps({"error": {"message": why, "type": "error", "code": None}}).encode()

    def _head(self, asked: Asked) -> dict[str, Any]:
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": asked.model,
        }

    def _chunk(self, asked: Asked, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return sse({**self._head(asked), "choices": [choice]})


def _tool(tool: dict[str, Any]) -> str:
    demand(tool.get("type") == "function", f"a tool of the type {tool.get('type')}")
    function = tool["function"]
    demand(NAME.fullmatch(function.get("name", "")), f"the tool's name {function.get('name')!r}")
    parameters = function.get("parameters", {})
    demand(parameters.get("type") == "object", "the tool's parameters are no object")
    if function.get("strict"):
        demand(parameters.get("additionalProperties") is False, "strict and open at once")
        properties = set(parameters.get("properties", {}))
        demand(properties == set(parameters.get("required", ())), "strict and optional at once")
    return str(function["name"])


def _answered(messages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The messages; refused where a call of a tool is not answered at once, or nobody called."""
    open_calls: set[str] = set()
    for message in messages:
        role = message.get("role")
        demand(role in ROLES, f"a message of the role {role!r}")
        if role == "tool":
            call_id = message.get("tool_call_id")
            demand(call_id in open_calls, f"an answer to {call_id!r}, which was not called")
            open_calls.discard(str(call_id))
        else:
            demand(not open_calls, f"{sorted(open_calls)} were called and not answered")
            open_calls = {call["id"] for call in message.get("tool_calls", ())}
        yield message
    demand(not open_calls, f"{sorted(open_calls)} were called and not answered")


def _read(message: dict[str, Any], asked: Asked) -> None:
    content, role = message.get("content"), message["role"]
    text = content if isinstance(content, str) else ""
    if isinstance(content, list):
        demand(content, "a message without content")
        for part in content:
            kind = part.get("type")
            demand(kind in ("text", "image_url"), f"a part of the type {kind!r}")
            demand(kind == "text" or role == "user", f"an image of the {role}'s")
            text += part["text"] if kind == "text" else ""
            if kind == "image_url":
                asked.images.append(picture(part["image_url"]["url"]))
    if role == "tool":
        asked.results[message["tool_call_id"]] = text
        return
    for call in message.get("tool_calls", ()):
        function = call["function"]
        arguments = json.loads(function["arguments"])
        asked.called.append((call["id"], function["name"], arguments))
    demand(text or message.get("tool_calls"), f"an empty message of the {role}'s")
    asked.said.append((role, text))


def picture(url: str) -> tuple[str, str]:
    """Its media type and its base64; or "" and its URL."""
    if url.startswith("data:"):
        kind, _, data = url.removeprefix("data:").partition(";base64,")
        return kind, data
    demand(url.startswith(("http://", "https://")), "an image's URL")
    return "", url
