"""An agent that dies in a call is followed by another one; kill -9 is what it dies of here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.jobs.workers import at_work, kill_process, rooms_of, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.livekit_server import LiveKitServer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]


async def test_a_caller_whose_agent_dies_gets_another_one(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    with at_work(write(tmp_path), livekit_server) as worker:
        async with rooms_of(livekit_server) as rooms, rooms.caller("lost"):
            await worker.registered()
            await rooms.dispatch("lost", metadata="of the user", attributes={"theirs": "kept"})
            first = await rooms.agent("lost")
            kill_process(first)
            second = await rooms.agent("lost", other_than=first.identity)

            assert second.attributes["metadata"] == "of the user"
            assert second.attributes["lost"] == "its process was killed (SIGKILL), 1"
            assert first.attributes["lost"] == ""
