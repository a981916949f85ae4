"""LiveKit Inference's gateway for recognisers and voices: WebSockets behind a token each."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from antiphon.conformance.gateway import allow
from antiphon.conformance.recognisers import Streaming, timed
from antiphon.conformance.strict import only
from antiphon.conformance.voices import WORD, Due, Voices, sound
from antiphon.conformance.wire import Request, demand

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator

    from aiohttp import WSMessage

    from antiphon.conformance.ear import Heard
    from antiphon.conformance.studio import Visit

SPEECH: Final = frozenset("assemblyai cartesia deepgram elevenlabs inworld rime xai".split())
OPENS: Final = {
    "/v1/stt": frozenset("type model settings fallback connection".split()),
    "/v1/tts": frozenset(
        "type model voice language sample_rate encoding extra fallback connection".split()
    ),
}


@dataclass(slots=True)
class Opened:
    """How a session was opened: the headers and the query of its request, and its first message."""

    headers: dict[str, str]
    model: str
    created: dict[str, Any] = field(default_factory=dict)


class Sessions:
    """Mutable state: those that were opened, the last one last."""

    path: str

    def __init__(self) -> None:
        self.opened: list[Opened] = []

    def enter(self, request: Request) -> None:
        """Refuse who may not use models, or asks for one that there is not."""
        demand(request.path == self.path, f"there is no {request.path}", 404)
        allow(request)
        who = request.headers.get("User-Agent", "")
        demand(who.startswith("LiveKit Agents/"), f"the User-Agent is {who}", 403)
        model = request.query.get("model", "")
        provider = model.partition("/")[0]
        demand(model == "auto" or provider in SPEECH, f"no provider {provider!r}", 404)
        self.opened.append(Opened(dict(request.headers), model))

    def create(self, order: dict[str, Any]) -> int:
        """Read the first message of a session; the rate of its sound."""
        only(order, OPENS[self.path])
        opened = self.opened[-1]
        model = order.get("model", "auto")
        demand(model == opened.model, f"the address says {opened.model}, the session {model}")
        settings = order.get("settings", order)
        demand(settings["encoding"] == "pcm_s16le", "an encoding that is not ours")
        for other in order.get("fallback", {}).get("models", ()):
            demand("/" in other["model"], f"no model {other['model']!r} to fall back to")
        opened.created = order
        return int(settings["sample_rate"])


class Ears(Sessions, Streaming):
    """Sound in base64; it is told when an utterance is over, and finds that out by itself too."""

    def __init__(self) -> None:
        Streaming.__init__(self)
        Sessions.__init__(self)
        self.path = "/v1/stt"
        self.orders = frozenset(
            {"session.create", "session.update", "session.finalize", "session.close"}
        )
        self.ends = "session.close"
        self.certain = frozenset({"session.finalize"})

    def allow(self, request: Request) -> None:
        self.enter(request)

    def rate(self, query: Any) -> int:
        return 16_000

    def sound(self, message: WSMessage) -> bytes | None:
        order = json.loads(message.data)
        if order["type"] != "input_audio":
            return None
        demand(self.opened[-1].created, "sound before the session is created")
        return base64.b64decode(order["audio"], validate=True)

    def obeyed(self, order: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if order["type"] == "session.create":
            demand(self.create(order) == self.rate(None), "a rate that is not ours")
            yield {"type": "session.created", "session_id": "session-1"}

    def told(self, heard: Heard, visit: Visit) -> Iterator[dict[str, Any]]:
        if heard.kind == "begin":
            yield {"type": "start_of_speech"}
            return
        yield {
            "type": f"{heard.kind}_transcript",
            "transcript": heard.text,
            "start": heard.start,
            "duration": heard.end - heard.start,
            "language": "en",
            "confidence": 0.9,
            "words": [{"word": word, **when} for word, when in timed(heard)],
        }

    def goodbye(self, visit: Visit) -> dict[str, Any]:
        return {"type": "session.closed"}


class Mouths(Sessions, Voices):
    """A session speaks what it is given until it is flushed; times begin anew then."""

    known = frozenset("type transcript generation_config extra".split())
    orders = frozenset({"session.create", "input_transcript", "session.flush"})

    def __init__(self) -> None:
        Voices.__init__(self)
        Sessions.__init__(self)
        self.path = "/v1/tts"
        self.speech = 0  # since the last flush
        self.hertz = 0

    def allow(self, request: Request) -> None:
        self.enter(request)

    def take(self, message: dict[str, Any], visit: Visit, due: deque[Due]) -> None:
        kind = message["type"]
        demand(kind in self.orders, f"a message of the type {kind!r}")
        context = f"speech-{self.speech}"
        if kind == "session.create":
            self.hertz = self.create(message)
            due.append(Due("", None, 0))
        elif kind == "session.flush":
            self.speech += 1
            due.append(Due(context, None, 0))
        else:
            only(message, self.known)
            model = message["generation_config"].get("model")
            demand(model == self.opened[-1].model, f"the model {model}")
            self.add(context, message["transcript"], visit, due)

    def told(self, due: Due) -> list[dict[str, Any]]:
        head = {"session_id": "session-1"}
        if due.word is None:
            return [{"type": "done" if due.context else "session.created", **head}]
        start = due.number * WORD
        timed_word = {"word": due.word, "start": start, "end": start + WORD}
        return [
            {"type": "output_alignment", "words": [timed_word], **head},
            {"type": "output_audio", "audio": sound(self.hertz), **head},
        ]
