"""Google's streamGenerateContent, as Gemini's address speaks it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from antiphon.conformance.strict import only
from antiphon.conformance.wire import Asked, Reply, Request, demand, sse

PATH: Final = re.compile(r"/v1(beta)?/models/(?P<model>[^/:]+):streamGenerateContent")
KNOWN: Final = frozenset(
    "contents systemInstruction tools toolConfig generationConfig safetySettings cachedContent "
    "serviceTier".split()
)


@dataclass(slots=True)
class Gemini:
    key: str = "secret-key"
    content_type: str = field(default="text/event-stream", init=False)

    def allow(self, request: Request) -> None:
        demand(request.headers.get("x-goog-api-key") == self.key, "no such key", 401)

    def read(self, request: Request) -> Asked:
        demand(request.method == "POST", f"{request.method} is not allowed", 405)
        path = PATH.fullmatch(request.path)
        demand(path, f"there is no {request.path}", 404)
        demand(request.query.get("alt") == "sse", "alt is not sse")
        self.allow(request)
        body = request.json()
        only(body, KNOWN)
        asked = Asked(path["model"] if path else "", body=body, choice=body.get("toolConfig"))
        for part in body.get("systemInstruction", {}).get("parts", ()):
            asked.said.append(("system", part["text"]))
        for tool in body.get("tools", ()):
            asked.tools += [each["name"] for each in tool["functionDeclarations"]]
        demand(body.get("contents"), "no contents")
        open_calls: list[str] = []
        for content in body["contents"]:
            open_calls = self._content(content, asked, open_calls)
        demand(not open_calls, f"{open_calls} were called and not answered")
        demand(body["contents"][-1]["role"] == "user", "the last turn is the model's own")
        return asked

    def _content(self, content: dict[str, Any], asked: Asked, open_calls: list[str]) -> list[str]:
        role, text, calls, answered = content["role"], "", [], []
        demand(role in ("user", "model"), f"a turn of the role {role!r}")
        demand(content["parts"], "a turn without parts")
        for part in content["parts"]:
            if "text" in part:
                text += part["text"]
            elif "inlineData" in part:
                data = part["inlineData"]["data"].translate(str.maketrans("-_", "+/"))
                asked.images.append((_of(part["inlineData"], "mimeType"), data))
            elif "fileData" in part:
                asked.images.append(("", _of(part["fileData"], "fileUri")))
            elif "functionCall" in part:
                call = part["functionCall"]
                demand(role == "model", "a call of the user's")
                calls.append(call["name"])
                name = call.get("id") or call["name"]
                asked.called.append((name, call["name"], call.get("args", {})))
            elif "functionResponse" in part:
                response = part["functionResponse"]
                answered.append(response["name"])
                name = response.get("id") or response["name"]
                asked.results[name] = json.dumps(response["response"])
            else:
                demand(False, f"a part of {sorted(part)}")
        demand(sorted(answered) == sorted(open_calls), f"answers of {answered} to {open_calls}")
        if text:
            asked.said.append(("assistant" if role == "model" else role, text))
        return calls

    def begin(self, asked: Asked) -> bytes:
        return b""

    def word(self, asked: Asked, text: str) -> bytes:
        return self._chunk(asked, [{"text": text}])

    def call(self, asked: Asked, number: int, name: str, arguments: dict[str, Any]) -> bytes:
        call = {"id": f"fc_{len(asked.called)}_{number}", "name": name, "args": arguments}
        return self._chunk(asked, [{"functionCall": call}])

    def end(self, asked: Asked, reply: Reply, *, filtered: bool = False) -> bytes:
        used = reply.used
        usage = {
            "promptTokenCount": used.prompt,
            "candidatesTokenCount": used.out,
            "totalTokenCount": used.prompt + used.out,
            "cachedContentTokenCount": used.cached,
        }
        reason = "SAFETY" if filtered else "STOP"
        return self._chunk(asked, [{"text": ""}], finishReason=reason, usage=usage)

    def broken(self) -> bytes:
        return b'data: {"candidates": [{"content": {"par\n\n'

    def error(self, status: int, why: str) -> bytes:
        return json.dumps({"error": {"code": status, "message": why, "status": "X"}}).encode()

    def _chunk(
        self, asked: Asked, parts: list[dict[str, Any]], usage: object = None, **more: Any
    ) -> bytes:
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0, **more}
        chunk = {"candidates": [candidate], "modelVersion": asked.model, "responseId": "r-1"}
        return sse(chunk | ({"usageMetadata": usage} if usage else {}))


def _of(data: dict[str, str], name: str) -> str:
    """A field: the API takes its name in either of two ways."""
    other = re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name)
    demand(name in data or other in data, f"no {name}")
    return data.get(name) or data[other]
