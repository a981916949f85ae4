"""`vision=`: what the user shows goes with each turn, as small as the option says."""

from __future__ import annotations

import asyncio
import base64
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc
from livekit.agents.voice import io

from antiphon import (
    Agent,
    AgentSession,
    ArgumentError,
    ChatMessage,
    UsageError,
    Vision,
    image,
    inference,
)
from antiphon.llm import ImageContent
from antiphon.simulate import OWN, ScriptedLLM, ScriptedTTS, calling, hesitates, listens, says

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from antiphon.simulate import Call

pytest.importorskip("PIL", reason="Pillow: pip install -e '.[vision]'")

SECRET = "a-secret-that-is-long-enough-for-hs256"
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def picture(colour: tuple[int, int, int], width: int = 1280, height: int = 720) -> rtc.VideoFrame:
    data = bytes((*colour, 255)) * (width * height)
    return rtc.VideoFrame(width, height, rtc.VideoBufferType.RGBA, data)


class Camera(io.VideoInput):
    """Shows what it is told to."""

    def __init__(self) -> None:
        super().__init__(label="camera")
        self.frames: asyncio.Queue[rtc.VideoFrame] = asyncio.Queue()

    def __aiter__(self) -> AsyncIterator[rtc.VideoFrame]:
        return self

    async def __anext__(self) -> rtc.VideoFrame:
        return await self.frames.get()


def seen(message: Any) -> tuple[str, tuple[int, int], str]:
    """Of the picture in a message: its format, its size, and the colour it has most of."""
    pictures: Any = import_module("PIL.Image")
    (content,) = [part for part in message.content if isinstance(part, ImageContent)]
    head, _, data = str(content.image).partition(",")
    assert head == "data:image/jpeg;base64"
    with pictures.open(BytesIO(base64.b64decode(data))) as found:
        dot = found.convert("RGB").getpixel((found.width // 2, found.height // 2))
        return found.format, found.size, ("red", "green", "blue")[dot.index(max(dot))]


def session_of(**options: Any) -> AgentSession[Any]:
    given = {"vision": True, "video_sampler": None, **options}
    return AgentSession(llm=ScriptedLLM(lambda _: "Yes."), tts=ScriptedTTS(), **given)


def users(call: Call) -> list[Any]:
    return [item for item in call.messages if item.role == "user"]


async def test_what_is_shown_last_goes_with_each_turn() -> None:
    session, camera = session_of(vision=Vision(width=400, height=400)), Camera()
    session.input.video = camera
    async with calling(Agent(instructions="Look."), session=session, llm=OWN, tts=OWN) as call:
        camera.frames.put_nowait(picture(RED))
        camera.frames.put_nowait(picture(GREEN))
        await call.play(says("what is this"), listens())
        camera.frames.put_nowait(picture(BLUE, 200, 100))
        await call.play(says("and this"), listens())
        model = session.llm
    first, second = users(call)
    assert seen(first) == ("JPEG", (400, 225), "green")
    assert seen(second) == ("JPEG", (200, 100), "blue")  # it is small enough
    assert [message.text_content for message in (first, second)] == ["what is this", "and this"]
    assert isinstance(model, ScriptedLLM)
    asked = [item for item in model.asked[-1].messages() if item.role == "user"]
    assert [seen(message)[2] for message in asked] == ["green", "blue"]


async def test_a_prepared_answer_has_seen_what_its_turn_has() -> None:
    session, camera = session_of(), Camera()
    session.input.video = camera
    async with calling(Agent(instructions="Look."), session=session, llm=OWN, tts=OWN) as call:
        camera.frames.put_nowait(picture(RED))
        await call.play(says("what is", hesitates(0.4), "this"), listens())
        model = session.llm
    assert isinstance(model, ScriptedLLM)
    assert len(model.asked) > 1
    assert {seen(context.messages()[-1])[2] for context in model.asked} == {"red"}
    (turn,) = users(call)
    assert seen(turn)[2] == "red"


class Hooked(Agent):
    async def on_user_turn_completed(self, turn_ctx: Any, new_message: ChatMessage) -> None:
        """It changes nothing."""


async def test_a_hook_that_changes_nothing_lets_a_prepared_answer_out() -> None:
    session, camera = session_of(), Camera()
    session.input.video = camera
    async with calling(Hooked(instructions="Look."), session=session, llm=OWN, tts=OWN) as call:
        camera.frames.put_nowait(picture(RED))
        await call.play(says("what is this"), listens())
        model = session.llm
    assert isinstance(model, ScriptedLLM)
    assert len(model.asked) == 1
    assert [seen(message)[2] for message in users(call)] == ["red"]


async def test_what_is_written_goes_with_a_picture_too() -> None:
    session, camera = session_of(), Camera()
    session.input.video = camera
    async with calling(Agent(instructions="Look."), session=session, llm=OWN, tts=OWN) as call:
        camera.frames.put_nowait(picture(RED))
        await asyncio.sleep(1.0)
        await session.generate_reply(user_input="what is this")
    assert seen(users(call)[0])[2] == "red"


async def test_nothing_goes_with_a_turn_when_nothing_is_shown_or_nobody_asked_for_it() -> None:
    for options in ({}, {"vision": False}):
        session, camera = session_of(**options), Camera()
        session.input.video = camera
        async with calling(Agent(instructions="Look."), session=session, llm=OWN, tts=OWN) as call:
            if options:
                camera.frames.put_nowait(picture(RED))
            await call.play(says("what is this"), listens())
        assert [message.content for message in users(call)] == [["what is this"]]


async def test_a_picture_that_cannot_be_read_is_one_error_and_the_call_goes_on() -> None:
    session, camera = session_of(), Camera()
    session.input.video = camera
    agent = Agent(instructions="Look.")
    async with calling(agent, session=session, llm=OWN, tts=OWN, allow_errors=True) as call:
        broken = picture(RED)
        broken._data = bytearray(4)  # its size says otherwise
        camera.frames.put_nowait(broken)
        await call.play(says("what is this"), listens())
        camera.frames.put_nowait(picture(BLUE))
        await call.play(says("and this"), listens())
    assert len(call.reported("error")) == 1
    first, second = users(call)
    assert first.content == ["what is this"]
    assert seen(second)[2] == "blue"


@pytest.mark.parametrize("name", ["openai/gpt-oss-120b", "local/brain"])
def test_a_model_that_takes_no_images_refuses_vision_when_it_is_asked_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    with pytest.raises(UsageError, match=f"{name} takes no images"):
        AgentSession(llm=name, vision=True)


async def test_an_agent_with_such_a_model_refuses_it_when_it_takes_over() -> None:
    blind = inference.LLM("deepseek-ai/deepseek-v3", api_key="key", api_secret=SECRET)
    session: AgentSession[Any] = AgentSession(vision=True)
    with pytest.raises(UsageError, match="takes no images"):
        await session.start(Agent(instructions="Look.", llm=blind))
    await blind.aclose()


@pytest.mark.parametrize("wrong", ["yes", 512, {"width": 3}])
def test_what_is_no_vision_is_refused(wrong: Any) -> None:
    with pytest.raises(ArgumentError, match="vision="):
        AgentSession(vision=wrong)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"quality": 100}, {"detail": "fine"}])
def test_a_size_that_cannot_be_is_refused(wrong: Any) -> None:
    with pytest.raises(ArgumentError):
        Vision(**wrong)


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"\xff\xd8\xff\xe0x", "jpeg"), (b"\x89PNG\r\n\x1a\nx", "png"), (b"GIF89ax", "gif")],
)
def test_bytes_become_an_image_by_what_they_are(data: bytes, kind: str) -> None:
    assert str(image(data).image).startswith(f"data:image/{kind};base64,")


def test_bytes_of_no_image_are_refused() -> None:
    with pytest.raises(ArgumentError, match="image"):
        image(b"hello")
