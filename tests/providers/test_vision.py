"""Pictures reach each model in its own form: a URL, data, bytes, a frame of a video."""

from __future__ import annotations

import base64
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc
from livekit.agents.llm import ImageContent

from antiphon import Agent, AgentSession, ChatContext, UsageError, Vision, image
from antiphon.conformance import PROVIDERS, Provider, gateway, named
from antiphon.conformance.talking import talking
from antiphon.conformance.wire import Asked, Server
from antiphon.simulate import listens, says
from tests.agent.test_vision import GREEN, RED, Camera, picture

if TYPE_CHECKING:
    from collections.abc import Callable

SEEN = "A red square."
# One dot of red.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
URL = "https://pictures.example/red.jpg"


def shown(picture: ImageContent) -> Callable[[], Agent]:
    """An agent that is shown a picture in its chat context."""

    def make() -> Agent:
        context = ChatContext()
        context.add_message(role="user", content=["What is this?", picture])
        context.add_message(role="assistant", content="Let me look.")
        return Agent(instructions="Look.", chat_ctx=context)

    return make


async def look(row: Provider, picture: ImageContent) -> Asked:
    async with talking(row, Server(row.speaks(), SEEN), agent=shown(picture)()) as talk:
        await talk.call.play(says("well"), listens())
    assert talk.call.said("agent") == [SEEN]
    return talk.asked[0]


SEEING = pytest.mark.parametrize("row", [row for row in PROVIDERS if row.sees], ids=str)


@SEEING
async def test_the_bytes_of_a_file_arrive_as_they_are(row: Provider) -> None:
    asked = await look(row, image(PNG))
    ((kind, data),) = asked.images
    assert kind == "image/png"
    assert base64.b64decode(data) == PNG


@SEEING
async def test_a_frame_of_a_video_arrives_as_a_picture_of_its_size(row: Provider) -> None:
    pictures: Any = import_module("PIL.Image")
    red = bytes((255, 0, 0, 255)) * (64 * 48)
    frame = rtc.VideoFrame(64, 48, rtc.VideoBufferType.RGBA, red)
    asked = await look(row, ImageContent(image=frame, inference_width=32, inference_height=24))
    ((kind, data),) = asked.images
    with pictures.open(BytesIO(base64.b64decode(data))) as picture:
        assert f"image/{(picture.format or '').lower()}" == kind
        assert picture.size == (32, 24)
        red_of, green, blue = picture.convert("RGB").getpixel((16, 12))
    assert red_of > 200 > 60 > max(green, blue)


@pytest.mark.parametrize("row", [row for row in PROVIDERS if row.sees and row.fetches], ids=str)
async def test_an_address_is_left_to_the_provider_to_fetch(row: Provider) -> None:
    asked = await look(row, ImageContent(image=URL, mime_type="image/jpeg"))
    assert asked.images == [("", URL)]


BLIND = ["openai/gpt-oss-120b", "deepseek-ai/deepseek-v3", "qwen/qwen3-235b-a22b-instruct"]


@pytest.mark.parametrize("name", BLIND)
def test_a_model_that_takes_no_pictures_refuses_them_when_the_agent_is_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", gateway.SECRET)
    context = ChatContext()
    context.add_message(role="user", content=[ImageContent(image=URL)])
    with pytest.raises(UsageError, match=f"{name} takes no images"):
        Agent(instructions="Look.", llm=name, chat_ctx=context)


async def test_such_a_model_of_the_sessions_refuses_them_when_the_call_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", gateway.SECRET)
    session: AgentSession[Any] = AgentSession(llm=BLIND[0])
    with pytest.raises(UsageError, match="takes no images"):
        await session.start(shown(ImageContent(image=URL))())
    assert session.llm is not None
    await session.llm.aclose()


@pytest.mark.parametrize(
    "name", ["openai", "anthropic", "google", "amazon bedrock", "mistral", "mistral chat"]
)
async def test_what_the_caller_shows_goes_with_each_turn_as_small_as_was_said(name: str) -> None:
    pictures: Any = import_module("PIL.Image")
    row, camera = named(name), Camera()
    server = Server(row.speaks(), SEEN, SEEN)
    vision = Vision(width=320, height=320, quality=60)
    async with talking(row, server, vision=vision, video_sampler=None) as talk:
        talk.call.session.input.video = camera
        camera.frames.put_nowait(picture(GREEN))
        camera.frames.put_nowait(picture(RED))
        await talk.call.play(says("what is this"), listens())
        await talk.call.play(says("are you sure"), listens())
    assert talk.call.said("agent") == [SEEN, SEEN]
    assert [len(asked.images) for asked in talk.asked] == [1, 2]
    for kind, data in talk.asked[1].images:
        assert kind == "image/jpeg"
        whole = base64.b64decode(data)
        assert len(whole) < 20_000
        with pictures.open(BytesIO(whole)) as found:
            assert found.size == (320, 180)
            red_of, green, blue = found.convert("RGB").getpixel((160, 90))
        assert red_of > 200 > 60 > max(green, blue)
