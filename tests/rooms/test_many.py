"""One call after the other in one process: nothing of them stays."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from typing import TYPE_CHECKING

import pytest

from antiphon import AgentSession
from tests.rooms.holding import call
from tests.rooms.singing import Singer, song

if TYPE_CHECKING:
    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime


def kept() -> tuple[int, int, int, int]:
    """Tasks, threads of Python's, open files, and sessions."""
    gc.collect()
    sessions = sum(isinstance(kept, AgentSession) for kept in gc.get_objects())
    files = len(os.listdir("/proc/self/fd"))
    return len(asyncio.all_tasks()), threading.active_count(), files, sessions


async def one(server: LiveKitServer, name: str) -> None:
    async with call(server, name, Singer([song(2)])) as held:
        await held.caller.write("hello")
        await held.caller.until(lambda: held.caller.lines and held.caller.lines[-1].over)


async def test_calls_one_after_the_other_leave_no_task_thread_file_or_session(
    livekit_server: LiveKitServer, name: str
) -> None:
    seen = []
    for number in range(12):
        await one(livekit_server, f"{name}-{number}")
        seen.append(kept())
    assert max(seen[6:]) <= max(seen[:6])
