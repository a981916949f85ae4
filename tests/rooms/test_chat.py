"""Text in a room: what is written is answered, and what is said can be read."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc

from antiphon import AgentSession
from tests.rooms.calling import Caller
from tests.rooms.singing import Singer, plain, song, sung

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime


@contextlib.asynccontextmanager
async def agent_room(server: LiveKitServer, name: str) -> AsyncGenerator[rtc.Room]:
    room = rtc.Room()
    kind = "agent"
    await room.connect(server.url, server.token("agent", name, kind=kind))
    try:
        yield room
    finally:
        await room.disconnect()


async def test_a_line_of_chat_is_answered_aloud_and_in_writing(
    livekit_server: LiveKitServer, name: str
) -> None:
    singer = Singer([song(6)])
    session: AgentSession[Any] = AgentSession(user_away_timeout=None)
    async with agent_room(livekit_server, name) as room, Caller(livekit_server, name) as caller:
        await session.start(singer, room=room)
        await caller.join()
        await session.room_io.wait_for_ready()
        await caller.write("hello")
        await caller.until(lambda: caller.lines and caller.lines[-1].over)
        await session.aclose()
        assert sung(caller.sound()) == plain(song(6))
        assert caller.said("agent") == [song(6)]
