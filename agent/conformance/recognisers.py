"""What Deepgram, AssemblyAI and OpenAI say of the sound that they are sent, each in its way."""

from __future__ import annotations

import asyncio
import base64
import json
import wave
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSMessage, WSMsgType, web

from antiphon.conformance.ear import Ear, Heard
from antiphon.conformance.provider import KEY
from antiphon.conformance.strict import only
from antiphon.conformance.studio import Cut, Line, Studio, Visit
from antiphon.conformance.wire import Request, demand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

THINKS: Final = 0.1  # seconds for a whole utterance


@dataclass(slots=True)
class Streaming:
    """A WebSocket that takes sound in binary messages; `path`, and what its events look like."""

    path: str = ""
    key: str = KEY
    orders: frozenset[str] = frozenset()  # types of the client's messages that are no sound
    ends: str = ""  # the one that says goodbye
    certain: frozenset[str] = frozenset()  # those after which nothing follows for now

    def allow(self, request: Request) -> None:
        demand(request.path == self.path, f"there is no {request.path}", 404)
        demand(request.headers.get("Authorization") == self.key, "no such key", 401)

    def rate(self, query: Any) -> int:
        """Of the sound, from the address's query; Refused where it is not 16 bits."""
        raise NotImplementedError

    def begins(self) -> Iterator[dict[str, Any]]:
        """What is sent before anything is heard."""
        yield from ()

    def sound(self, message: WSMessage) -> bytes | None:
        """The sound in a message; None where it is an order."""
        return message.data if message.type is WSMsgType.BINARY else None

    def told(self, heard: Heard, visit: Visit) -> Iterator[dict[str, Any]]:
        """The events that say what was heard."""
        raise NotImplementedError

    def obeyed(self, order: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What is answered to an order."""
        yield from ()

    def goodbye(self, visit: Visit) -> dict[str, Any]:
        raise NotImplementedError

    async def serve(self, request: web.Request, visit: Visit, studio: Studio) -> web.StreamResponse:
        ear = Ear(studio.hears(), self.rate(request.query))
        line = Line(visit)
        await line.socket.prepare(request)
        await line.greet(*self.begins())
        async for came in line.socket:
            if (sound := self.sound(came)) is not None:
                await self._tell(line, ear.hear(sound))
                visit.heard = ear.seconds
                continue
            order = json.loads(came.data)
            kind = order["type"]
            demand(kind in self.orders, f"a message of the type {kind!r}")
            await line.greet(*self.obeyed(order))
            if kind in self.certain:
                await self._tell(line, ear.finish())
            if kind == self.ends:
                visit.over = True
                await line.send(self.goodbye(visit))
                await line.socket.close()
        return line.socket

    async def _tell(self, line: Line, found: Iterable[Heard]) -> None:
        for heard in found:
            await line.send(*self.told(heard, line.visit))


@dataclass(slots=True)
class Deepgram(Streaming):
    """Listen, as its live API speaks."""

    path: str = "/v1/listen"
    key: str = f"Token {KEY}"
    orders: frozenset[str] = frozenset({"KeepAlive", "Finalize", "CloseStream"})
    ends: str = "CloseStream"
    certain: frozenset[str] = frozenset({"Finalize", "CloseStream"})

    def rate(self, query: Any) -> int:
        demand(query.get("encoding") == "linear16", "an encoding that is not ours")
        demand(query.get("model"), "no model")
        return int(query["sample_rate"])

    def told(self, heard: Heard, visit: Visit) -> Iterator[dict[str, Any]]:
        if heard.kind == "begin":
            yield {"type": "SpeechStarted", "channel": [0], "timestamp": heard.start}
            return
        final = heard.kind == "final"
        words = [{"word": w, "punctuated_word": w, **when} for w, when in timed(heard)]
        said = {"transcript": heard.text, "confidence": 0.9, "words": words}
        yield {
            "type": "Results",
            "is_final": final,
            "speech_final": final,
            "start": heard.start,
            "duration": heard.end - heard.start,
            "channel": {"alternatives": [said]},
            "metadata": {"request_id": "request-1"},
        }

    def goodbye(self, visit: Visit) -> dict[str, Any]:
        return {"type": "Metadata", "request_id": "request-1", "duration": visit.heard}


@dataclass(slots=True)
class AssemblyAI(Streaming):
    """Its third streaming API; a turn is told as it grows."""

    path: str = "/v3/ws"
    orders: frozenset[str] = frozenset({"UpdateConfiguration", "ForceEndpoint", "Terminate"})
    ends: str = "Terminate"
    certain: frozenset[str] = frozenset({"ForceEndpoint", "Terminate"})
    turns: int = 0

    def rate(self, query: Any) -> int:
        demand(query.get("encoding") == "pcm_s16le", "an encoding that is not ours")
        demand(query.get("speech_model"), "no model")
        return int(query["sample_rate"])

    def begins(self) -> Iterator[dict[str, Any]]:
        yield {"type": "Begin", "id": "session-1", "expires_at": 1}

    def told(self, heard: Heard, visit: Visit) -> Iterator[dict[str, Any]]:
        if heard.kind == "begin":
            yield {"type": "SpeechStarted", "timestamp": round(1000 * heard.start)}
            return
        final = heard.kind == "final"
        words = [
            {
                "text": word,
                "start": round(1000 * when["start"]),
                "end": round(1000 * when["end"]),
                "confidence": 0.9,
                "word_is_final": final,
            }
            for word, when in timed(heard)
        ]
        self.turns += final
        yield {
            "type": "Turn",
            "turn_order": self.turns,
            "turn_is_formatted": final,
            "end_of_turn": final,
            "end_of_turn_confidence": 0.9 if final else 0.1,
            "transcript": heard.text if final else "",
            "utterance": heard.text if final else "",
            "words": words,
        }

    def goodbye(self, visit: Visit) -> dict[str, Any]:
        whole = round(visit.heard)
        named = {"audio_duration_seconds": whole, "session_duration_seconds": whole}
        return {"type": "Termination", **named}


REALTIME: Final = 24_000  # samples a second
TRANSCRIBES: Final = frozenset("type audio include".split())
LISTENS: Final = frozenset("format transcription turn_detection noise_reduction".split())


@dataclass(slots=True)
class Realtime(Streaming):
    """OpenAI's Realtime API, as it transcribes: sound in base64, turns by its own detector."""

    path: str = "/v1/realtime"
    key: str = f"Bearer {KEY}"
    orders: frozenset[str] = frozenset({"session.update"})
    items: int = 0
    set_up: bool = False

    def rate(self, query: Any) -> int:
        demand(query.get("intent") == "transcription", "no intent")
        return REALTIME

    def begins(self) -> Iterator[dict[str, Any]]:
        yield _event("session.created", session={"type": "transcription", "id": "sess_1"})

    def sound(self, message: WSMessage) -> bytes | None:
        order = json.loads(message.data)
        if order["type"] != "input_audio_buffer.append":
            return None
        demand(self.set_up, "sound before the session is set up")
        return base64.b64decode(order["audio"], validate=True)

    def obeyed(self, order: dict[str, Any]) -> Iterator[dict[str, Any]]:
        session = order["session"]
        demand(session["type"] == "transcription", f"a session of the type {session['type']!r}")
        given = session["audio"]["input"]
        only(session, TRANSCRIBES)
        only(given, LISTENS)
        form = {"type": "audio/pcm", "rate": REALTIME}
        demand(given["format"] == form, f"the format {given['format']}")
        demand(given["transcription"].get("model"), "no model")
        demand(given["turn_detection"]["type"] == "server_vad", "no detector of turns")
        self.set_up = True
        yield _event("session.updated", session={**session, "id": "sess_1"})

    def told(self, heard: Heard, visit: Visit) -> Iterator[dict[str, Any]]:
        self.items += heard.kind == "begin"
        item = f"item_{self.items}"
        if heard.kind == "begin":
            at = round(1000 * heard.start)
            yield _event("input_audio_buffer.speech_started", item_id=item, audio_start_ms=at)
            return
        said: dict[str, Any] = {"item_id": item, "content_index": 0}
        if heard.kind == "interim":
            yield _event(f"{TRANSCRIPTION}.delta", **said, delta=heard.text)
            return
        at = round(1000 * heard.end)
        yield _event("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=at)
        yield _event("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        tokens = round(10 * (heard.end - heard.start))
        visit.tokens += tokens
        used = {"type": "tokens", "input_tokens": tokens, "output_tokens": 5}
        used["total_tokens"] = tokens + 5
        yield _event(f"{TRANSCRIPTION}.completed", **said, transcript=heard.text, usage=used)


TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"


def _event(kind: str, **fields: Any) -> dict[str, Any]:
    """An event as OpenAI's own types describe it."""
    whole = {"type": kind, "event_id": "event_1", **fields}
    _events().validate_python(whole)
    return whole


@cache
def _events() -> Any:
    from openai.types.realtime import RealtimeServerEvent
    from pydantic import TypeAdapter

    return TypeAdapter(RealtimeServerEvent)


def timed(heard: Heard) -> Iterator[tuple[str, dict[str, float]]]:
    """Its words, each with its share of the time."""
    words = heard.text.split()
    each = (heard.end - heard.start) / max(1, len(words))
    for number, word in enumerate(words):
        start = heard.start + number * each
        yield word, {"start": start, "end": start + each, "confidence": 0.9}


@dataclass(slots=True)
class Transcriptions:
    """OpenAI's, for whole utterances: a form with a WAV file."""

    def allow(self, request: Request) -> None:
        demand(request.path == "/v1/audio/transcriptions", f"there is no {request.path}", 404)
        demand(request.method == "POST", f"{request.method} is not allowed", 405)
        demand(request.headers.get("Authorization") == f"Bearer {KEY}", "no such key", 401)

    async def serve(self, request: web.Request, visit: Visit, studio: Studio) -> web.StreamResponse:
        form = await request.post()
        only(form, {"file", "model", "language", "response_format", "prompt"})
        demand(form.get("model"), "no model")
        file = form["file"]
        demand(isinstance(file, web.FileField), "file is no file")
        assert isinstance(file, web.FileField)
        with file.file as whole, wave.open(BytesIO(whole.read())) as sound:
            visit.heard = sound.getnframes() / sound.getframerate()
        await asyncio.sleep(THINKS)
        if not visit.goes_on():
            await asyncio.sleep(10_000)
        if visit.fault == "cut":
            raise Cut
        visit.over = True
        whole_answer = visit.piece({"text": next(studio.hears(), "")}, whole=True)
        return web.Response(text=whole_answer, content_type="application/json")
