"""What Deepgram, AssemblyAI and OpenAI say of the sound that they are sent, each in its way."""

from __future__ import annotations

import asyncio
import json
import wave
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSMsgType, web

from antiphon.conformance.ear import Ear, Heard
from antiphon.conformance.provider import KEY
from antiphon.conformance.studio import Line, Studio, Visit
from antiphon.conformance.wire import Request, demand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

THINKS: Final = 0.1  # seconds for a whole utterance


@dataclass(slots=True)
class Streaming:
    """A WebSocket that takes sound in binary messages; `path`, and what its events look like."""

    path: str = ""
    key: str = KEY
    orders: frozenset[str] = frozenset()  # types of the client's own messages
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

    def said(self, heard: Heard) -> dict[str, Any]:
        raise NotImplementedError

    def goodbye(self, seconds: float) -> dict[str, Any]:
        raise NotImplementedError

    async def serve(self, request: web.Request, visit: Visit, studio: Studio) -> web.StreamResponse:
        ear = Ear(studio.texts, self.rate(request.query))
        line = Line(visit)
        await line.socket.prepare(request)
        for message in self.begins():
            await line.send(message)
        async for came in line.socket:
            if came.type is WSMsgType.BINARY:
                await self._tell(line, ear.hear(came.data))
                visit.heard = ear.seconds
                continue
            order = json.loads(came.data)["type"]
            demand(order in self.orders, f"a message of the type {order!r}")
            if order in self.certain:
                await self._tell(line, ear.finish())
            if order == self.ends:
                visit.over = True
                await line.send(self.goodbye(ear.seconds))
                await line.socket.close()
        return line.socket

    async def _tell(self, line: Line, found: Iterable[Heard]) -> None:
        for heard in found:
            await line.send(self.said(heard))


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

    def said(self, heard: Heard) -> dict[str, Any]:
        if heard.kind == "begin":
            return {"type": "SpeechStarted", "channel": [0], "timestamp": heard.start}
        final = heard.kind == "final"
        words = [{"word": w, "punctuated_word": w, **when} for w, when in timed(heard)]
        said = {"transcript": heard.text, "confidence": 0.9, "words": words}
        return {
            "type": "Results",
            "is_final": final,
            "speech_final": final,
            "start": heard.start,
            "duration": heard.end - heard.start,
            "channel": {"alternatives": [said]},
            "metadata": {"request_id": "request-1"},
        }

    def goodbye(self, seconds: float) -> dict[str, Any]:
        return {"type": "Metadata", "request_id": "request-1", "duration": seconds}


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

    def said(self, heard: Heard) -> dict[str, Any]:
        if heard.kind == "begin":
            return {"type": "SpeechStarted", "timestamp": round(1000 * heard.start)}
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
        return {
            "type": "Turn",
            "turn_order": self.turns,
            "turn_is_formatted": final,
            "end_of_turn": final,
            "end_of_turn_confidence": 0.9 if final else 0.1,
            "transcript": heard.text if final else "",
            "utterance": heard.text if final else "",
            "words": words,
        }

    def goodbye(self, seconds: float) -> dict[str, Any]:
        whole = round(seconds)
        named = {"audio_duration_seconds": whole, "session_duration_seconds": whole}
        return {"type": "Termination", **named}


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
        unknown = set(form) - {"file", "model", "language", "response_format", "prompt"}
        demand(not unknown, f"unknown parameters {sorted(unknown)}")
        demand(form.get("model"), "no model")
        file = form["file"]
        demand(isinstance(file, web.FileField), "file is no file")
        assert isinstance(file, web.FileField)
        with file.file as whole, wave.open(BytesIO(whole.read())) as sound:
            visit.heard = sound.getnframes() / sound.getframerate()
        await asyncio.sleep(THINKS)
        text = next(studio.texts, "")
        if not visit.goes_on():
            await asyncio.sleep(10_000)
        visit.over = True
        return web.json_response({"text": text})
