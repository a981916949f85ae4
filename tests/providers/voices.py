"""LiveKit Inference's gateway for voices: recognisers and speakers over WebSockets."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from antiphon.conformance.gateway import allow
from antiphon.conformance.wire import PACE, Request, demand
from antiphon.pipeline.streams import Scope, Silent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from antiphon.pipeline.streams import Stream

WORD: Final = 0.2  # seconds of sound for each


@dataclass(slots=True)
class Voices:
    """Mutable state: what each end was asked, and the seconds of sound that were sent to it."""

    hears: str = ""  # what every recogniser makes of its sound
    created: list[dict[str, Any]] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    heard: float = 0.0
    left: list[float] = field(default_factory=list)  # when each connection ended
    url: str = ""
    lives: int | None = None  # words that a speaker says before its connection breaks

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = Request(request.method, request.path, request.query, request.headers, b"")
        allow(raw)
        serve = {"/v1/stt": self._recognise, "/v1/tts": self._speak}.get(raw.path)
        demand(serve is not None, f"there is no {raw.path}", 404)
        self.models.append(raw.query["model"])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        first = await socket.receive_json()
        demand(first.get("type") == "session.create", "it does not begin with session.create")
        self.created.append(first)
        await socket.send_json({"type": "session.created", "session_id": "session-1"})
        assert serve is not None
        try:
            await serve(socket, first)
        finally:
            self.left.append(asyncio.get_running_loop().time())
        return socket

    async def _recognise(self, socket: web.WebSocketResponse, first: dict[str, Any]) -> None:
        rate = int(first["settings"]["sample_rate"])
        demand(first["settings"]["encoding"] == "pcm_s16le", "an encoding that is not ours")
        async for message in socket:
            event = json.loads(message.data)
            if event["type"] == "input_audio":
                self.heard += len(base64.b64decode(event["audio"])) / 2 / rate
            elif event["type"] == "session.finalize":
                words, length = self.hears.split(), self.heard
                found = {"start": 0.0, "duration": length, "language": "en", "confidence": 0.9}
                half = " ".join(words[: len(words) // 2])
                await socket.send_json({"type": "interim_transcript", "transcript": half, **found})
                whole = {"type": "final_transcript", "transcript": self.hears, **found}
                await socket.send_json(whole)
                await socket.send_json({"type": "session.closed"})
            else:
                demand(event["type"] == "session.close", f"a message of the type {event['type']}")

    async def _speak(self, socket: web.WebSocketResponse, first: dict[str, Any]) -> None:
        rate = int(first["sample_rate"])
        text: list[str] = []
        due: deque[dict[str, Any]] = deque()
        words = 0
        async with Scope("voice") as scope:
            coming: Stream[Any] = scope.pipe("messages", socket, ahead=64)
            while True:
                try:
                    event = json.loads((await coming.next(PACE if due else None)).data)
                except Silent:
                    message = due.popleft()
                    words += message["type"] == "output_alignment"
                    if self.lives is not None and words > self.lives:
                        await socket.close(code=1011)
                        return
                    await socket.send_json(message)
                    continue
                except StopAsyncIteration:
                    return
                if event["type"] == "input_transcript":
                    text.append(event["transcript"])
                    continue
                demand(event["type"] == "session.flush", f"a message of the type {event['type']}")
                due.extend(self._spoken("".join(text), rate))
                text.clear()

    def _spoken(self, said: str, rate: int) -> Iterator[dict[str, Any]]:
        self.spoken.append(said)
        head = {"session_id": "session-1"}
        end = 0.0
        for word in said.split():
            sound = (b"\x10\x27" * int(WORD * rate))[: int(WORD * rate) * 2]
            timed = {"word": word, "start": end, "end": end + WORD}
            end += WORD
            yield {"type": "output_alignment", "words": [timed], **head}
            yield {"type": "output_audio", "audio": base64.b64encode(sound).decode(), **head}
        yield {"type": "done", **head}


@asynccontextmanager
async def voicing(voices: Voices, *, chat: Any = None) -> AsyncGenerator[Voices, None]:
    """The gateway on a port of its own; `chat` is a `Server` for its chat completions."""
    app = web.Application()
    for path in ("/v1/stt", "/v1/tts"):
        app.router.add_get(path, voices.handle)
    if chat is not None:
        app.router.add_route("*", "/v1/{path:.*}", chat.handle)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    voices.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield voices
    finally:
        await runner.cleanup()
