"""What a caller shows: the agent sees it, at the moment it is spoken of."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc

from antiphon import room_io
from antiphon.llm import ChatContext, ChatMessage, ImageContent
from antiphon.simulated_sound import voice
from tests.rooms.filming import camera, colour
from tests.rooms.holding import call
from tests.rooms.singing import Singer, song

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon import AgentSession
    from tests.livekit_server import LiveKitServer
    from tests.rooms.holding import Held

pytestmark = pytest.mark.realtime

SEES = room_io.RoomOptions(video_input=True)
SCREEN = rtc.TrackSource.SOURCE_SCREENSHARE


class Watcher(Singer):
    """Looks when it is spoken to. `asked` has the colours in the context of each request."""

    def __init__(self) -> None:
        super().__init__([song(2)] * 9)
        self.asked: list[list[str | None]] = []

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        if self.session.picture is not None:
            new_message.content.append(ImageContent(image=self.session.picture))

    async def llm_node(self, chat_ctx: ChatContext, *settings: Any) -> AsyncGenerator[str, None]:
        parts = [part for message in chat_ctx.messages() for part in message.content]
        pictures = [part.image for part in parts if isinstance(part, ImageContent)]
        self.asked.append([colour(p) for p in pictures if isinstance(p, rtc.VideoFrame)])
        async for text in super().llm_node(chat_ctx, *settings):
            yield text


def shows(session: AgentSession[Any], wanted: str | None) -> bool:
    return colour(session.picture) == wanted


def answered(held: Held, before: int) -> bool:
    return len(held.history("assistant")) > before


async def test_the_model_is_given_what_the_caller_showed_as_they_spoke(
    livekit_server: LiveKitServer, name: str
) -> None:
    watcher = Watcher()
    options: Any = {"room_options": SEES, "video_sampler": None}
    async with call(livekit_server, name, watcher, **options) as held:
        caller = held.caller
        async with camera(caller, "red") as filmed:
            for shown in ("red", "blue", "green"):
                filmed.colour = shown
                await caller.until(partial(shows, held.session, shown))
                spoken = len(held.history("assistant"))
                await caller.speak(voice(0.4))
                watcher.words.put_nowait("and now")
                await caller.until(partial(answered, held, spoken))
    assert watcher.asked[-1] == ["red", "blue", "green"]
    images = [
        part
        for message in held.session.history.messages()
        for part in message.content
        if isinstance(part, ImageContent)
    ]
    assert len(images) == 3


async def test_a_screen_is_seen_in_place_of_the_camera_and_neither_when_both_are_off(
    livekit_server: LiveKitServer, name: str
) -> None:
    options: Any = {"room_options": SEES, "video_sampler": None}
    async with call(livekit_server, name, Watcher(), **options) as held:
        caller, session = held.caller, held.session
        async with camera(caller, "red") as filmed:
            await caller.until(partial(shows, session, "red"))
            async with camera(caller, "green", SCREEN):
                await caller.until(partial(shows, session, "green"))
            await caller.until(partial(shows, session, "red"))
            filmed.track.mute()
            await caller.until(partial(shows, session, None))
            filmed.colour = "blue"
            filmed.track.unmute()
            await caller.until(lambda: session.picture is not None)
            assert colour(session.picture) == "blue"  # what it showed before is over
        await caller.until(partial(shows, session, None))


async def test_a_sampler_says_which_pictures_are_looked_at(
    livekit_server: LiveKitServer, name: str
) -> None:
    offered: list[str | None] = []

    def only_blue(frame: rtc.VideoFrame, session: AgentSession[Any]) -> bool:
        offered.append(colour(frame))
        return offered[-1] == "blue"

    options: Any = {"room_options": SEES, "video_sampler": only_blue}
    async with call(livekit_server, name, Watcher(), **options) as held:
        caller, session = held.caller, held.session
        async with camera(caller, "red") as filmed:
            await caller.until(lambda: len(offered) >= 3)
            assert session.picture is None
            filmed.colour = "blue"
            await caller.until(partial(shows, session, "blue"))
            filmed.colour = "green"
            await caller.until(lambda: offered[-1] == "green")
            assert colour(session.picture) == "blue"
