"""Amazon Bedrock's ConverseStream: signed requests, and binary events with two checksums each."""

from __future__ import annotations

import json
import re
import struct
from binascii import crc32
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from antiphon.conformance.strict import only
from antiphon.conformance.wire import Asked, Reply, Request, demand

PATH: Final = re.compile(r"/model/(?P<model>[^/]+)/converse-stream")
KNOWN: Final = frozenset(
    "messages system toolConfig inferenceConfig additionalModelRequestFields".split()
)


@dataclass(slots=True)
class Converse:
    key: str = "secret-key"
    content_type: str = field(default="application/vnd.amazon.eventstream", init=False)

    def allow(self, request: Request) -> None:
        signed = request.headers.get("Authorization", "")
        demand(signed.startswith(f"AWS4-HMAC-SHA256 Credential={self.key}/"), "unsigned", 403)
        demand("/us-east-1/bedrock/aws4_request" in signed, "signed for another place", 403)
        demand(request.headers.get("X-Amz-Date"), "undated", 403)

    def read(self, request: Request) -> Asked:
        demand(request.method == "POST", f"{request.method} is not allowed", 405)
        path = PATH.fullmatch(request.path)
        demand(path, f"there is no {request.path}", 404)
        self.allow(request)
        body = request.json()
        only(body, KNOWN)
        config = body.get("toolConfig", {})
        asked = Asked(unquote(path["model"]) if path else "", body=body)
        asked.choice = config.get("toolChoice")
        for part in body.get("system", ()):
            asked.said.append(("system", part["text"]))
        for tool in config.get("tools", ()):
            demand("json" in tool["toolSpec"]["inputSchema"], "inputSchema has no json")
            asked.tools.append(tool["toolSpec"]["name"])
        demand("toolConfig" not in body or asked.tools, "toolConfig without tools")
        open_calls: set[str] = set()
        last = "assistant"
        for message in body["messages"]:
            demand(message["role"] != last, "roles do not alternate, beginning with the user")
            last = message["role"]
            open_calls = self._message(message, asked, open_calls)
        demand(not open_calls, f"{sorted(open_calls)} were called and not answered")
        return asked

    def _message(self, message: dict[str, Any], asked: Asked, open_calls: set[str]) -> set[str]:
        role, text, calls, answered = message["role"], "", set(), set()
        demand(message["content"], "a message without content")
        for block in message["content"]:
            if "text" in block:
                demand(block["text"].strip(), "a blank text")
                text += block["text"]
            elif "image" in block:
                image = block["image"]
                asked.images.append((f"image/{image['format']}", image["source"]["bytes"]))
            elif "toolUse" in block:
                use = block["toolUse"]
                demand(isinstance(use["input"], dict), "toolUse.input is no object")
                calls.add(use["toolUseId"])
                asked.called.append((use["toolUseId"], use["name"], use["input"]))
            elif "toolResult" in block:
                result = block["toolResult"]
                answered.add(result["toolUseId"])
                asked.results[result["toolUseId"]] = json.dumps(result["content"])
            else:
                demand(False, f"a block of {sorted(block)}")
        demand(answered == open_calls, f"answers to {answered}, calls of {open_calls}")
        demand(not calls or asked.tools, "toolUse without toolConfig")
        if text:
            asked.said.append((role, text))
        return calls

    def begin(self, asked: Asked) -> bytes:
        return event("messageStart", {"role": "assistant"})

    def word(self, asked: Asked, text: str) -> bytes:
        return self._delta(0, {"text": text})

    def call(self, asked: Asked, number: int, name: str, arguments: dict[str, Any]) -> bytes:
        frames = event("contentBlockStop", {"contentBlockIndex": number})
        call_id = f"tooluse_{len(asked.called)}_{number}"
        start = {"toolUse": {"toolUseId": call_id, "name": name}}
        block = {"contentBlockIndex": number + 1, "start": start}
        frames += event("contentBlockStart", block)
        given = json.dumps(arguments)
        for part in (given[:4], given[4:]):
            frames += self._delta(number + 1, {"toolUse": {"input": part}})
        return frames

    def end(self, asked: Asked, reply: Reply, *, filtered: bool = False) -> bytes:
        reason = "content_filtered" if filtered else "tool_use" if reply.calls else "end_turn"
        frames = event("contentBlockStop", {"contentBlockIndex": len(reply.calls)})
        frames += event("messageStop", {"stopReason": reason})
        used = reply.used
        usage = {
            "inputTokens": used.prompt - used.cached,
            "cacheReadInputTokens": used.cached,
            "outputTokens": used.out,
            "totalTokens": used.prompt + used.out,
        }
        return frames + event("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})

    def broken(self) -> bytes:
        whole = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "x"}})
        return whole[:-1] + b"?"  # its last checksum is wrong

    def error(self, status: int, why: str) -> bytes:
        return json.dumps({"message": why}).encode()

    def _delta(self, index: int, delta: dict[str, Any]) -> bytes:
        return event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})


def event(kind: str, data: dict[str, Any]) -> bytes:
    """One event of the stream: lengths, their checksum, headers, data, the whole's checksum."""
    named = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        struct.pack("!B", len(name))
        + name.encode()
        + struct.pack("!BH", 7, len(value))
        + value.encode()
        for name, value in named.items()
    )
    payload = json.dumps(data).encode()
    lengths = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    whole = lengths + struct.pack("!I", crc32(lengths)) + headers + payload
    return whole + struct.pack("!I", crc32(whole))
