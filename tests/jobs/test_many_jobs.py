"""One call after the other in one process, as jobs in threads of a worker: nothing of them stays.

`ANTIPHON_CALLS=200 pytest -n0 tests/jobs/test_many_jobs.py -s` says how much is kept.
"""

from __future__ import annotations

import os
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.jobs.workers import at_work, rooms_of, told, until, write
from tests.rooms.calling import Caller

if TYPE_CHECKING:
    from pathlib import Path

    from tests.livekit_server import LiveKitServer

CALLS: Final = int(os.environ.get("ANTIPHON_CALLS") or 12)
SETTLED: Final = CALLS // 4  # calls after which the process has what it needs
MEGABYTES: Final = 0.05  # more for each call, at most: less than a second of sound

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120 + 10 * CALLS)]

# Tells of what the process has at the same moment of each call: it has begun, with its agent.
BEFORE = """
import gc
import threading
import numpy as np
import psutil
from antiphon import JobExecutorType
from livekit import rtc

server = AgentServer(
    job_executor_type=JobExecutorType.THREAD, num_idle_processes=1, load_fnc=load, port=0
)
TONE = (8000 * np.sin(np.arange(12000) / 8)).astype(np.int16)


class Answering(Agent):
    async def llm_node(self, chat_ctx, tools, model_settings):
        yield "Yes."

    async def tts_node(self, text, model_settings):
        async for _ in text:
            yield rtc.AudioFrame(TONE.tobytes(), 24000, 1, len(TONE))


def kept():
    gc.collect()
    process, objects = psutil.Process(), gc.get_objects()
    return {
        "tasks": sum(issubclass(type(each), asyncio.Task) and not each.done() for each in objects),
        "sessions": sum(type(each) is AgentSession for each in objects),
        "threads": process.num_threads(),
        "files": process.num_fds(),
        "megabytes": process.memory_info().rss / 2**20,
    }
"""
BODY = """
async def over(reason):
    tell(ctx, reason)

ctx.add_shutdown_callback(over)
await appear(ctx)
session = AgentSession(user_away_timeout=None)
await session.start(Answering(instructions=""), room=ctx.room)
await session.room_io.wait_for_ready()
ctx.room.on("participant_disconnected", lambda _: ctx.shutdown("gone"))
tell(ctx, kept())
"""


async def one(server: LiveKitServer, room: str, folder: Path) -> dict[str, Any]:
    async with rooms_of(server) as rooms, Caller(server, room) as caller:
        await caller.join(microphone=False)
        await rooms.dispatch(room, "many")
        await until(lambda: bool(told(folder, room)))
        await caller.write("hello")
        await caller.until(lambda: caller.lines and caller.lines[-1].over and caller.sounding())
    await until(lambda: len(told(folder, room)) == 2)
    return dict(told(folder, room)[0])


async def test_calls_one_after_the_other_in_one_process_leave_nothing(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    with at_work(write(tmp_path, BODY, BEFORE, agent="many"), livekit_server) as worker:
        await worker.registered()
        seen = [await one(livekit_server, f"call {each}", tmp_path) for each in range(CALLS)]
    for number in range(0, CALLS, max(1, CALLS // 8)):
        print(number, seen[number])  # noqa: T201
    print(CALLS - 1, seen[-1])  # noqa: T201
    early, late = seen[SETTLED : 2 * SETTLED], seen[-SETTLED:]
    for what in ("tasks", "sessions", "threads", "files"):
        assert median(each[what] for each in late) <= median(each[what] for each in early), what
    grown = median(e["megabytes"] for e in late) - median(e["megabytes"] for e in early)
    assert grown / (CALLS - 2 * SETTLED) < MEGABYTES or CALLS < 200
