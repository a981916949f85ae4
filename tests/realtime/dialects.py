"""Providers that speak OpenAI's realtime protocol, each in its own way."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from antiphon.conformance import gateway
from antiphon.conformance.wire import Refused, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

KEY: Final = "secret-key"

# What a client cannot always know: a response may end while its cancellation is on the way.
EXPECTED: Final = {"response_cancel_not_active"}


def _bearer(request: web.Request) -> str:
    given = request.headers.get("Authorization")
    return "" if given == f"Bearer {KEY}" else f"no such key: {given}"


def _token(request: web.Request) -> str:
    """What LiveKit Inference's gateway wants to see."""
    query, headers = dict(request.query), dict(request.headers)
    try:
        gateway.allow(Request(request.method, request.path, query, headers, b""))
    except Refused as error:
        return str(error)
    who = headers.get("User-Agent", "")
    return "" if who.startswith("LiveKit Agents/") else f"the User-Agent is {who}"


@dataclass(frozen=True, slots=True)
class Dialect:
    """`path` it is served at; `model` that is asked for by query."""

    path: str
    model: str
    allow: Callable[[web.Request], str] = _bearer  # why the request is refused, or ""
    flat: bool = False  # voice and turn detection are the session's own; speech can be forced

    def refuses(self, request: web.Request) -> str:
        if request.path != self.path:
            return f"there is no {request.path}"
        if self.model and request.query.get("model") != self.model:
            return f"no model {request.query.get('model')}"
        return self.allow(request)

    def plain(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event as OpenAI would be told it."""
        if not self.flat:
            return event
        event = copy.deepcopy(event)
        session = event.get("session") or {}
        audio = session.setdefault("audio", {}) if "audio" in session else {}
        if "voice" in session:
            audio.setdefault("output", {})["voice"] = session.pop("voice")
        if "turn_detection" in session:
            audio.setdefault("input", {})["turn_detection"] = session.pop("turn_detection")
        if audio:
            session["audio"] = audio
        return event

    def forced(self, event: dict[str, Any]) -> str | None:
        """What the model is to say, word for word, where a client may want that."""
        item = event.get("item") or {}
        if not self.flat or item.get("type") != "force_message":
            return None
        (part,) = item["content"]
        return str(part["text"])


OPENAI: Final = Dialect("/v1/realtime", "gpt-realtime")
LIVE: Final = Dialect("/v1/live/sessions", "")
INFERENCE_LIVE: Final = Dialect("/v1/live/sessions", "openai/gpt-live-1", _token)
INFERENCE: Final = Dialect("/v1/realtime", "openai/gpt-realtime", _token)
XAI: Final = Dialect("/v1/realtime", "grok-voice-latest", flat=True)
