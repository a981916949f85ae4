"""What a realtime model gives to one request: messages of text and sound, and calls of tools.

A reply reads it in two places, each in a leaf task: `Response.read` gives text and calls as they
come and gathers the sound; the voice takes the sound of one message after the other from there.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from math import isfinite
from typing import TYPE_CHECKING, Final, TypeGuard

from livekit import rtc
from livekit.agents import llm
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

from antiphon.nodes.edge import frame as checked
from antiphon.nodes.edge import items, texts
from antiphon.pipeline.source import Flush
from antiphon.pipeline.streams import Scope, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

Part = str | Flush | llm.FunctionCall

AHEAD: Final = 10**9  # the model's own channels are not bounded either


class Message:
    """One message of a response. `spoken`: it has sound of its own; else a voice speaks its text.

    Mutable state: the sound that nobody has taken, the words whose end is known and not told, the
    one whose end is not known, and where it lies in its step once the voice has come to it.
    """

    def __init__(self, id: str, *, spoken: bool) -> None:
        self.id = id
        self.spoken = spoken
        self.begin: int | None = None  # samples of its step before it
        self.end: int | None = None  # and with it, once all of it is made
        self.chunk = 0  # which of its step's texts is its first
        self._sound: Stream[rtc.AudioFrame] = Stream(AHEAD, name="realtime/sound")
        self._ended: list[TimedString] = []
        self._open = ""

    def note(self, text: str) -> None:
        """Take note of when a word was said, where the model tells it."""
        start, end = getattr(text, "start_time", None), getattr(text, "end_time", None)
        if _time(start):
            self._close(start)
        if _time(end):
            self._ended.append(TimedString(self._open + text, end_time=end))
            self._open = ""
        elif _time(start) or self._open:
            self._open += text

    def _close(self, at: float) -> None:
        """The open word has ended where another begins."""
        if self._open:
            self._ended.append(TimedString(self._open, end_time=at))
            self._open = ""

    def add(self, frame: rtc.AudioFrame) -> None:
        """More of its sound has come."""
        self._sound.put_nowait(frame)

    def ends(self, error: Exception | None) -> None:
        """No more sound comes."""
        self._sound.end(error)

    async def frames(self) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Its sound as it comes, with the words of which it is known when they end."""
        seconds, last, error = 0.0, None, None
        try:
            async for frame in self._sound:
                seconds, last = seconds + frame.duration, frame
                yield self._with_words(frame)
        except Exception as failure:
            error = failure
        else:
            self._close(seconds)
        if last is not None and self._ended:
            yield self._with_words(rtc.AudioFrame(b"", last.sample_rate, last.num_channels, 0))
        if error is not None:
            raise error

    def _with_words(self, frame: rtc.AudioFrame) -> rtc.AudioFrame:
        if self._ended:
            frame.userdata[USERDATA_TIMED_TRANSCRIPT] = self._ended
            self._ended = []
        return frame


class Response:
    """All that the model gives to one request.

    Mutable state: the messages so far, and when something of it came last; whether nothing more is
    read of it, and whether it is under way: the model has begun it and not ended it; and when it
    ended (loop time).
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.given_at = 0.0  # loop time
        self.over = False
        self.under_way = False
        self.ended = 0.0
        self._moved = asyncio.Event()

    async def message(self, number: int) -> Message | None:
        """That message, once it has begun; None where there are not so many."""
        while len(self.messages) <= number and not self.over:
            self._moved.clear()
            await self._moved.wait()
        return self.messages[number] if number < len(self.messages) else None

    def end(self) -> None:
        """Nothing more comes."""
        if not self.over:
            self.ended = asyncio.get_running_loop().time()
        self.over = True
        self._moved.set()

    async def read(self, event: llm.GenerationCreatedEvent) -> AsyncGenerator[Part, None]:
        """Text and calls as they come, a mark between two messages, and an empty text wherever
        sound has come: a sign of life."""
        parts: Stream[Part] = Stream(AHEAD, name="response")
        self.under_way = True
        async with Scope("response") as scope:
            said = scope.pipe("messages", self._messages(scope, event, parts), AHEAD)
            called: AsyncGenerator[Part, None] = items(lambda: event.function_stream)
            running = [said, scope.pipe("calls", called, AHEAD)]

            def ended() -> None:
                if all(s.ended for s in running) or any(s.failed for s in running):
                    parts.end()

            for stream in running:
                stream.forward(parts.put_nowait, ended)
            async for part in parts:
                self.given_at = asyncio.get_running_loop().time()
                yield part
            for stream in running:  # raises what reading them raised
                async for _ in stream:
                    pass
        self.under_way = False

    async def _messages(
        self, scope: Scope, event: llm.GenerationCreatedEvent, parts: Stream[Part]
    ) -> AsyncGenerator[Part, None]:
        given: AsyncGenerator[llm.MessageGeneration, None] = items(lambda: event.message_stream)
        async with aclosing(given):
            async for each in given:
                message = Message(each.message_id, spoken="audio" in await each.modalities)
                if self.messages:
                    yield Flush.SEGMENT
                self.messages.append(message)
                self._moved.set()
                sound = scope.pipe("sound", _sound(message, each), AHEAD)
                whole = asyncio.Event()
                sound.forward(parts.put_nowait, whole.set)
                words = texts(lambda each=each: each.text_stream, "the realtime model")  # type: ignore[misc]
                async with aclosing(words):
                    async for text in words:
                        message.note(text)
                        yield str(text)
                await whole.wait()


async def _sound(message: Message, given: llm.MessageGeneration) -> AsyncGenerator[str, None]:
    error: Exception | None = None
    frames: AsyncGenerator[object, None] = items(lambda: given.audio_stream)
    try:
        async with aclosing(frames):
            async for frame in frames:
                message.add(checked(frame))
                yield ""
    except Exception as failure:
        error = failure
    finally:
        message.ends(error)


def _time(value: object) -> TypeGuard[float]:
    return isinstance(value, float | int) and isfinite(value)
