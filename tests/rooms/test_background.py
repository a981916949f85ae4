"""Sounds behind the conversation: LiveKit's player beside this session, in a real room."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import numpy as np
import pytest
from livekit import rtc

from antiphon import BackgroundAudioPlayer
from tests.rooms.holding import call
from tests.rooms.singing import Singer, plain, song, sung

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit.agents import ModelSettings, llm

    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime

THINKS = 1.5  # seconds


class Typing:
    """Clicks without end. No generator: the player does not close those that it is given."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> rtc.AudioFrame:
        sound = np.zeros(960, np.int16)
        sound[:200] = 8000
        return rtc.AudioFrame(sound.tobytes(), 48_000, 1, len(sound))


class Slow(Singer):
    """Thinks for a while."""

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[str, None]:
        await asyncio.sleep(THINKS)
        async for text in super().llm_node(chat_ctx, tools, model_settings):
            yield text


async def test_somebody_who_waits_hears_the_agent_type(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Slow([song(4)])) as held:
        player = BackgroundAudioPlayer(thinking_sound=Typing())
        await player.start(room=held.session.room_io.room, agent_session=held.session)  # type: ignore[arg-type]
        await asyncio.sleep(0.5)
        assert held.seconds() == 0.0
        await held.caller.write("hello")
        await held.caller.until(lambda: held.session.agent_state == "speaking")
        typed = held.seconds()
        await held.caller.until(lambda: held.caller.lines and held.caller.lines[-1].over)
        await player.aclose()
    assert typed > 0.1
    assert sung(held.caller.sound())[-2:] == plain(song(4))[-2:]  # typing lies over its beginning
