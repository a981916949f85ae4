"""Rooms that their server makes anew while their agent's process lives: who is sent there.

That a call's own agent comes back, and nobody else, is shown with two nodes in `test_cluster.py`.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.jobs.workers import alive, at_work, kill_process, rooms_of, write
from tests.livekit_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from livekit.protocol.models import ParticipantInfo

    from tests.jobs.workers import Rooms, Worker
    from tests.livekit_server import LiveKitServer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

BODY = """
ctx.add_shutdown_callback(lingers)
await appear(ctx)
"""
# An agent that ends takes its time, and one that is on its way back is not waited for that long.
BEFORE = """
from antiphon import jobs_moved

jobs_moved.BACK_WITHIN = 3.0


async def lingers(reason):
    while not Path("end").exists():
        await asyncio.sleep(0.05)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("moved")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LiveKitServer]:
    """One of its own: an agent without a name is sent to every room."""
    with serving(folder) as server:
        yield server


@pytest.fixture(scope="module")
def worker(folder: Path, server: LiveKitServer) -> Iterator[Worker]:
    with at_work(write(folder, BODY, BEFORE, agent=""), server) as worker:
        yield worker
        (folder / "end").touch()


async def hung(rooms: Rooms, room: str) -> ParticipantInfo:
    """An agent that hears nothing of its room's end: its process is stopped."""
    async with rooms.caller(room):
        agent = await rooms.agent(room)
        os.kill(int(agent.attributes["pid"]), signal.SIGSTOP)
        await rooms.delete(room)
    return agent


async def test_a_room_whose_name_is_used_again_is_sent_an_agent_while_the_last_one_still_ends(
    server: LiveKitServer, worker: Worker
) -> None:
    await worker.registered()
    async with rooms_of(server) as rooms:
        async with rooms.caller("again"):
            first = await rooms.agent("again")
            await rooms.delete("again")
        async with rooms.caller("again"):
            second = await rooms.agent("again", other_than=first.identity)
            assert alive(int(first.attributes["pid"]))
            assert second.attributes["lost"] == ""


async def test_an_agent_that_dies_on_its_way_back_is_followed_by_one(
    server: LiveKitServer, worker: Worker
) -> None:
    await worker.registered()
    async with rooms_of(server) as rooms:
        first = await hung(rooms, "dies")
        async with rooms.caller("dies"):
            await worker.says("room dies was made anew: its agent is coming back")
            kill_process(first)
            second = await rooms.agent("dies", other_than=first.identity)
            assert second.attributes["lost"] == "its process was killed (SIGKILL), 1"
            await worker.says("asked for a new agent for room dies")
            await rooms.present("dies", second.identity, "caller")
    assert worker.said.count("asked for a new agent for room dies") == 1


async def test_an_agent_that_stays_away_is_followed_by_one(
    server: LiveKitServer, worker: Worker
) -> None:
    await worker.registered()
    async with rooms_of(server) as rooms:
        first = await hung(rooms, "stays")
        async with rooms.caller("stays"):
            second = await rooms.agent("stays", other_than=first.identity)
            why = "it did not come back after its connection was lost"
            assert second.attributes["lost"] == f"{why}, 1"
            kill_process(first)
            await worker.says("the agent in room stays is gone")
            await rooms.present("stays", second.identity, "caller")
