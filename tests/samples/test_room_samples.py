"""The samples for rooms, each as a worker of a real server, with a caller in its room."""

from __future__ import annotations

import os
import signal
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.jobs.workers import PATIENCE, Rooms, Worker, at_work, rooms_of
from tests.rooms.calling import Caller
from tests.rooms.filming import camera

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from livekit import rtc
    from livekit.protocol.models import ParticipantInfo

    from tests.livekit_server import LiveKitServer
    from tests.rooms.calling import Line

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

SAMPLES = Path(__file__).parents[2] / "samples"
KEYS = {**{str(digit): digit for digit in range(10)}, "#": 11}


@asynccontextmanager
async def calling(
    server: LiveKitServer, folder: Path, sample: str
) -> AsyncIterator[tuple[Caller, Rooms, Worker]]:
    """A caller in a room that the sample's worker is asked to."""
    program = folder / sample
    program.write_text((SAMPLES / sample).read_text())
    with at_work(program, server, "--port", 0, command="dev") as worker:
        await worker.registered()
        async with rooms_of(server) as rooms, Caller(server, sample) as caller:
            await caller.join()
            yield caller, rooms, worker


async def listened(caller: Caller) -> None:
    """Wait until an agent listens."""
    others = caller.room.remote_participants
    await caller.until(
        lambda: any(
            other.attributes.get("lk.agent.state") == "listening" for other in others.values()
        ),
        PATIENCE,
    )


async def heard(caller: Caller, words: str) -> None:
    """Wait until an agent has been read and heard to say it."""
    await caller.until(
        lambda: any(words in line.text for line in caller.lines if line.identity != "caller"),
        PATIENCE,
    )
    await caller.until(caller.sounding, PATIENCE)


def more(lines: list[Line], than: int) -> bool:
    return len(lines) > than


async def agents(rooms: Rooms, room: str) -> list[ParticipantInfo]:
    return [each for each in await rooms.there(room) if each.identity != "caller"]


async def test_a_caller_is_greeted_and_a_new_agent_excuses_the_one_that_died(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with calling(livekit_server, tmp_path, "room.py") as (caller, rooms, worker):
        await heard(caller, "Hello, this is Ada.")
        (first,) = await agents(rooms, "room.py")
        for job in worker.jobs():
            os.kill(job, signal.SIGKILL)
        caller.heard.clear()
        await heard(caller, "Sorry, I was away for a moment.")
        (second,) = await agents(rooms, "room.py")
        assert second.identity != first.identity


async def test_what_is_written_is_answered_in_writing_only(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with calling(livekit_server, tmp_path, "room_text.py") as (caller, *_):
        await listened(caller)
        await caller.write("My name is Grace.")
        await caller.until(lambda: any(line.over for line in caller.lines), PATIENCE)
        assert caller.sounding() == []


async def test_what_a_caller_shows_goes_with_what_they_ask(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with calling(livekit_server, tmp_path, "room_video.py") as (caller, *_):
        await listened(caller)
        await caller.write("What do you see?")
        await heard(caller, "I see nothing")
        async with camera(caller, "green") as filmed:
            seen: list[rtc.LocalTrack] = []
            caller.room.on("local_track_subscribed", seen.append)
            await caller.until(lambda: filmed.track in seen, PATIENCE)
            # The first pictures are still on their way: it is asked until it has seen one.
            for _ in range(5):
                await caller.write("And now?")
                answers = len(caller.lines)
                await caller.until(partial(more, caller.lines, answers), PATIENCE)
                await caller.until(lambda: caller.lines[-1].over, PATIENCE)
                if "green" in caller.lines[-1].text:
                    break
            assert caller.lines[-1].text == "I see something green."


async def test_digits_that_are_keyed_in_are_read_back(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with calling(livekit_server, tmp_path, "room_keypad.py") as (caller, *_):
        await heard(caller, "This is the library.")
        for key in "4711#":
            await caller.room.local_participant.publish_dtmf(code=KEYS[key], digit=key)
        await heard(caller, "your card is 4 7 1 1")
