"""How Cartesia, ElevenLabs and OpenAI speak a text, each in its way: a fifth of a second a word."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from antiphon.conformance.provider import KEY
from antiphon.conformance.strict import only
from antiphon.conformance.studio import Line, Studio, Visit
from antiphon.conformance.wire import PACE, Request, demand, sse
from antiphon.pipeline.streams import Scope, Silent

if TYPE_CHECKING:
    from antiphon.pipeline.streams import Stream

WELL: Final = 4  # messages, some words, before a connection is cut
WORD: Final = 0.2  # seconds of sound for each
RATE: Final = 24_000


def sound(rate: int = RATE) -> str:
    """Of one word, in base64."""
    return base64.b64encode(b"\x10\x27" * int(WORD * rate)).decode()


@dataclass(frozen=True, slots=True)
class Due:
    """A word of a context that is still to be spoken, or its end; without a context, a greeting."""

    context: str
    word: str | None
    number: int  # of the words of its context


class Voices:
    """A WebSocket for several texts at once, each a context; words are spoken one after the other.

    Mutable state: by context, how many of its words there were.
    """

    path = ""
    header = ""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def allow(self, request: Request) -> None:
        demand(request.path == self.path, f"there is no {request.path}", 404)
        demand(request.headers.get(self.header) == KEY, "no such key", 401)

    async def serve(self, request: web.Request, visit: Visit, studio: Studio) -> web.StreamResponse:
        line = Line(visit)
        visit.well = WELL
        await line.socket.prepare(request)
        due: deque[Due] = deque()
        async with Scope("voice") as scope:
            coming: Stream[Any] = scope.pipe("messages", line.socket, ahead=64)
            while True:
                try:
                    came = await coming.next(PACE if due else None)
                except Silent:
                    await self._utter(line, due.popleft())
                except StopAsyncIteration:
                    return line.socket
                else:
                    self.take(json.loads(came.data), visit, due)
                    for silent in [each for each in due if studio.empty and each.word]:
                        due.remove(silent)

    def take(self, message: dict[str, Any], visit: Visit, due: deque[Due]) -> None:
        """Read what the client sends."""
        raise NotImplementedError

    def add(self, context: str, text: str, visit: Visit, due: deque[Due]) -> None:
        """These words are to be spoken."""
        if text.strip():
            visit.spoken.append(text)
        for word in text.split():
            number = self._counts[context] = self._counts.get(context, -1) + 1
            due.append(Due(context, word, number))

    async def _utter(self, line: Line, due: Due) -> None:
        send = line.send if due.context else line.greet
        await send(*self.told(due))

    def told(self, due: Due) -> list[dict[str, Any]]:
        """The messages of a word."""
        raise NotImplementedError


class Cartesia(Voices):
    """Its WebSocket: a message is a whole request with a piece of the text."""

    path = "/tts/websocket"
    header = "X-API-Key"
    known = frozenset(
        "model_id voice output_format language context_id transcript continue add_timestamps "
        "max_buffer_delay_ms generation_config cancel".split()
    )

    def take(self, message: dict[str, Any], visit: Visit, due: deque[Due]) -> None:
        only(message, self.known)
        context = message["context_id"]
        if message.get("cancel"):
            kept = [each for each in due if each.context != context]
            due.clear()
            due.extend(kept)
            return
        form = message["output_format"]
        wanted = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": RATE}
        demand(form == wanted, f"output_format is {form}")
        self.add(context, message["transcript"], visit, due)
        if not message["continue"]:
            due.append(Due(context, None, 0))

    def told(self, due: Due) -> list[dict[str, Any]]:
        head = {"context_id": due.context, "status_code": 206, "done": False}
        if due.word is None:
            return [{**head, "type": "done", "done": True, "status_code": 200}]
        start = due.number * WORD
        times = {"words": [due.word], "start": [start], "end": [start + WORD]}
        return [
            {**head, "type": "timestamps", "word_timestamps": times},
            {**head, "type": "chunk", "data": sound(), "step_time": 1.0},
        ]


class ElevenLabs(Voices):
    """Its WebSocket for several contexts: the first message of each has its settings."""

    path = "/v1/text-to-speech/a-voice/multi-stream-input"
    header = "xi-api-key"
    known = frozenset("text context_id flush close_context voice_settings".split())

    def take(self, message: dict[str, Any], visit: Visit, due: deque[Due]) -> None:
        only(message, self.known)
        context = message["context_id"]
        self.add(context, message.get("text", ""), visit, due)
        if message.get("close_context"):
            due.append(Due(context, None, 0))

    def told(self, due: Due) -> list[dict[str, Any]]:
        if due.word is None:
            return [{"contextId": due.context, "isFinal": True}]
        chars, start = [*due.word, " "], 1000 * due.number * WORD
        each = round(1000 * WORD / len(chars))
        alignment = {
            "chars": chars,
            "charStartTimesMs": [round(start + each * n) for n in range(len(chars))],
            "charDurationsMs": [each] * len(chars),
        }
        told = {"alignment": alignment, "normalizedAlignment": alignment}
        return [{"contextId": due.context, "audio": sound(), "isFinal": False, **told}]


@dataclass(slots=True)
class Speech:
    """OpenAI's: a request for each text, answered by server-sent events."""

    known: frozenset[str] = field(
        default=frozenset(
            "input model voice response_format speed instructions stream_format".split()
        )
    )

    def allow(self, request: Request) -> None:
        demand(request.headers.get("Authorization") == f"Bearer {KEY}", "no such key", 401)
        there = request.path in ("/v1/audio/speech", "/v1/")  # it warms up by the second
        demand(there, f"there is no {request.path}", 404)

    async def serve(self, request: web.Request, visit: Visit, studio: Studio) -> web.StreamResponse:
        body = await request.json()
        only(body, self.known)
        demand(body["response_format"] == "pcm", "a format that is not ours")
        demand(body["stream_format"] == "sse", "a form that is not ours")
        visit.spoken.append(body["input"])
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        words = [] if studio.empty else body["input"].split()
        visit.well = WELL
        if visit.fault == "silence":
            await asyncio.sleep(10_000)
        await answer.prepare(request)
        for _ in words:
            await asyncio.sleep(PACE)
            visit.goes_on()
            delta = {"type": "speech.audio.delta", "audio": sound()}
            await answer.write(sse(visit.piece(delta)))
        used = {"input_tokens": len(words), "output_tokens": 10 * len(words)}
        await answer.write(sse({"type": "speech.audio.done", "usage": used}))
        visit.over = True
        return answer
