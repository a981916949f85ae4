"""A program as it is deployed: a worker's process, a job that is dispatched, and a caller."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit import api

from antiphon.nodes import local
from antiphon.pipeline.errors import AntiphonError
from tests.jobs.workers import PATIENCE, at_work, rooms_of, write
from tests.rooms.calling import Caller

if TYPE_CHECKING:
    from pathlib import Path

    from tests.jobs.workers import Rooms
    from tests.livekit_server import LiveKitServer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

ADA = """
from antiphon import room_io

session = AgentSession(llm="local/brain", tts="local/auto", vad=None)
options = room_io.RoomOptions(delete_room_on_close=True)
await session.start(Agent(instructions="You are Ada."), room=ctx.room, room_options=options)
"""


async def listed(rooms: Rooms, name: str) -> bool:
    found = await rooms.api.room.list_rooms(api.ListRoomsRequest(names=[name]))
    return bool(found.rooms)


async def test_a_program_without_a_word_about_connections_talks_in_its_room_and_clears_it(
    livekit_server: LiveKitServer, name: str, tmp_path: Path
) -> None:
    try:
        local.local_tts()
    except AntiphonError as error:
        pytest.skip(str(error))
    program = write(tmp_path, ADA)
    with at_work(program, livekit_server) as worker:
        await worker.registered()
        async with rooms_of(livekit_server) as rooms, Caller(livekit_server, name) as caller:
            await caller.join()
            await rooms.dispatch(name)
            await caller.until(lambda: caller.state() == "listening", PATIENCE)
            await caller.write("what is twelve times seven?")
            await caller.until(lambda: caller.lines and caller.lines[-1].over)
            assert "84" in caller.lines[-1].text
            assert len(caller.sounding()) > 50
            await caller.room.disconnect()
            async with asyncio.timeout(PATIENCE):
                while await listed(rooms, name):  # noqa: ASYNC110  # the server knows
                    await asyncio.sleep(0.1)
        worker.stop()
        assert await worker.ended() == 0
