"""The plugins by themselves, without a session: what the servers of these tests are worth."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIError, llm, utils

from tests.realtime.rows import ROWS, Row
from tests.realtime.script import Answer, Model

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

EVERY = pytest.mark.parametrize("row", ROWS, ids=str)
HELLO = "Good day to you."


class Client:
    """A session of a plugin's, and the events that came of it."""

    def __init__(self, session: llm.RealtimeSession[Any], model: Model) -> None:
        self.session = session
        self.model = model
        self.events: list[tuple[str, Any]] = []
        self.generations: asyncio.Queue[llm.GenerationCreatedEvent] = asyncio.Queue()
        for name in (
            "input_speech_started input_speech_stopped input_audio_transcription_completed "
            "generation_created session_reconnected error metrics_collected"
        ).split():
            session.on(name, lambda event, name=name: self._on(name, event))

    def _on(self, name: str, event: Any) -> None:
        self.events.append((name, event))
        if name == "generation_created":
            self.generations.put_nowait(event)

    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    async def speak(self, text: str, silence: float = 1.0) -> None:
        """Say it in real time, and be silent."""
        lines = self.model.lines
        sound = np.append(lines.sound(text), np.zeros(round(silence * lines.RATE), np.int16))
        for start in range(0, len(sound), 320):
            piece = sound[start : start + 320]
            self.session.push_audio(rtc.AudioFrame(piece.tobytes(), lines.RATE, 1, len(piece)))
            await asyncio.sleep(0.02)

    async def heard(self) -> tuple[str, list[int]]:
        """The next generation: its text, and the values of its samples."""
        return await read(await self.generations.get())


async def read(generation: llm.GenerationCreatedEvent) -> tuple[str, list[int]]:
    text, values = "", list[int]()
    async for message in generation.message_stream:
        text += "".join([part async for part in message.text_stream])
        async for frame in message.audio_stream:
            values += np.frombuffer(frame.data, np.int16).tolist()
    return text, values


@asynccontextmanager
async def client(row: Row, model: Model, **options: Any) -> AsyncGenerator[Client, None]:
    async with utils.http_context.open(), row.serving(model):
        made = row.make(model.url, **options)
        session = made.session()
        try:
            yield Client(session, model)
        finally:
            await session.aclose()
            await made.aclose()
            await asyncio.sleep(0.1)
    assert model.wrong == []
    assert all(each.closed is not None for each in model.connections)


@EVERY
async def test_what_the_user_says_is_answered_with_sound(row: Row) -> None:
    async with client(row, Model(HELLO)) as talk:
        await talk.speak("hello there")
        text, values = await talk.heard()
        await asyncio.sleep(2.0)
    assert text == HELLO
    voice = talk.model.voice
    assert values == [n for n, length in enumerate(voice.lengths, 1) for _ in range(length)]
    finals = [e for n, e in talk.events if n.endswith("completed") and e.is_final]
    assert [event.transcript for event in finals] == ["hello there"]
    assert "input_speech_started" in talk.names()
    (made,) = talk.model.made
    assert made.asked == [("user", "hello there")]


@EVERY
async def test_a_reply_is_asked_for_cancelled_and_truncated(row: Row) -> None:
    async with client(row, Model(Answer(endless=True), HELLO)) as talk:
        generation = await talk.session.generate_reply()
        message = await anext(aiter(generation.message_stream))
        heard = 0
        async for frame in message.audio_stream:
            heard += frame.samples_per_channel
            if heard >= 24_000:
                break
        talk.session.interrupt()
        talk.session.truncate(
            message_id=message.message_id,
            modalities=["audio", "text"],
            audio_end_ms=700,
            audio_transcript="",
        )
        await asyncio.sleep(0.5)
        text, _ = await read(await talk.session.generate_reply())
        await asyncio.sleep(0.5)
    assert text == HELLO
    first, second = talk.model.made
    assert first.stopped is not None
    if row.truncates:
        assert [end for _, end, _ in talk.model.truncated] == [700]
        (said,) = second.asked
        # letters of 80 ms: "two" ends at 240 ms, "three" at 640 ms
        assert said == ("assistant", "two three")
    else:
        assert second.asked[1:] == [("assistant", first.said), ("user", ".")]


@EVERY
async def test_a_tool_is_called_and_its_result_arrives(row: Row) -> None:
    @llm.function_tool
    async def book(day: str) -> str:
        """Book a table."""
        return day

    answers = Answer("One moment.", calls=(("book", {"day": "Friday"}),)), HELLO
    async with client(row, Model(*answers)) as talk:
        await talk.session.update_tools([book])
        generation = await talk.session.generate_reply()
        await read(generation)
        (call,) = [call async for call in generation.function_stream]
        context = talk.session.chat_ctx.copy()
        if call not in context.items and context.get_by_id(call.id) is None:
            context.items.append(call)
        output = llm.FunctionCallOutput(
            call_id=call.call_id, name="book", output="booked", is_error=False
        )
        context.items.append(output)
        await talk.generations.get()
        await talk.session.update_chat_ctx(context)
        if not talk.session.capabilities.auto_tool_reply_generation:
            await talk.session.generate_reply()
        text, _ = await talk.heard()
        await asyncio.sleep(0.5)
    assert text == HELLO
    first, second = talk.model.made
    assert first.tools == second.tools == ["book"]
    *_, said, (kind, called), (_, result) = second.asked
    assert said == ("assistant", "One moment.")
    assert (kind, called[:5]) == ("call", "book(")
    assert "booked" in result


@EVERY
async def test_a_lost_connection_is_opened_again_with_the_history(row: Row) -> None:
    async with client(row, Model("Good day.", Answer("I was", fault="cut"), HELLO)) as talk:
        await read(await talk.session.generate_reply())
        await read(await talk.session.generate_reply())
        await asyncio.sleep(5.0)
        text, _ = await read(await talk.session.generate_reply())
        await asyncio.sleep(0.5)
    assert text == HELLO
    assert ("session_reconnected" in talk.names()) == row.tells_reconnected
    assert len(talk.model.connections) == 2
    assert ("assistant", "Good day.") in talk.model.made[2].asked


@EVERY
@pytest.mark.parametrize("fault", ["silence", "error", "failed", "odd", "stall"])
async def test_what_goes_wrong_is_told(row: Row, fault: str) -> None:
    async with client(row, Model(Answer("Some words", fault=fault), HELLO)) as talk:
        asking = talk.session.generate_reply()
        if fault in ("silence", "error"):
            with pytest.raises(llm.RealtimeError):
                await asking
        elif fault == "stall":
            message = await anext(aiter((await asking).message_stream))
            assert "".join([await anext(aiter(message.text_stream)) for _ in range(2)])
            talk.session.interrupt()
        else:
            text, _ = await read(await asking)
            assert text == "Some words"
        await asyncio.sleep(0.5)
        if fault != "silence":
            text, _ = await read(await talk.session.generate_reply())
            assert text == HELLO
        await asyncio.sleep(0.5)
    assert ("error" in talk.names()) == (fault in ("error", "failed"))


@EVERY
@pytest.mark.parametrize("door", ["401", "500", "hang"])
async def test_a_server_that_does_not_let_in_is_an_error(row: Row, door: str) -> None:
    model = Model()
    model.doors = [door] * 10
    closing = pytest.raises(APIError) if row.raises_at_close else nullcontext()
    with closing:
        async with client(row, model) as talk:
            await asyncio.sleep(60.0)
    errors = [event for name, event in talk.events if name == "error"]
    assert [each.recoverable for each in errors] == [*[True] * row.tries, False]
