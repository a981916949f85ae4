"""One call after the other in one process, as jobs in threads of a worker: nothing of them stays.

`ANTIPHON_CALLS=200 pytest -n0 tests/jobs/test_many_jobs.py -s` says how much is kept, beside a
worker whose calls have no session of anybody: a room, a track, and a line of text each way.
"""

from __future__ import annotations

import asyncio
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
BLOCKS: Final = 100  # more of Python's memory for each call, at most; a session takes thousands
THREADS: Final = 2  # more that pools start when all of theirs are busy, after however many calls
IN_USE: Final = 2.0  # megabytes more of native memory, at most, after however many calls
RESIDENT: Final = 0.03  # megabytes more for each call, at most, than without a session

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120 + 10 * CALLS)]

BEFORE = """
import ctypes
import gc
import re
import sys
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


# Native memory in use; what was freed, and lies ready for the next one, is not.
def in_use():
    libc, text, size = ctypes.CDLL(None), ctypes.c_void_p(), ctypes.c_size_t()
    if not hasattr(libc, "malloc_info"):
        return 0  # it is GNU's
    libc.open_memstream.restype = ctypes.c_void_p
    file = ctypes.c_void_p(libc.open_memstream(ctypes.byref(text), ctypes.byref(size)))
    libc.malloc_info(0, file)
    libc.fclose(file)
    whole = ctypes.string_at(text, size.value).decode().rpartition("</heap>")[2]
    libc.free(text)
    free = sum(map(int, re.findall(r'type="(?:fast|rest)" count="\\d+" size="(\\d+)"', whole)))
    return int(re.search(r'<system type="current" size="(\\d+)"', whole)[1]) - free


def kept():
    gc.collect()
    process, objects = psutil.Process(), gc.get_objects()
    modules = [str(type(each).__module__) for each in objects]
    return {
        "tasks": sum(issubclass(type(each), asyncio.Task) and not each.done() for each in objects),
        "sessions": sum(type(each) is AgentSession for each in objects),
        "objects of ours": sum(module.startswith("antiphon") for module in modules),
        "threads": process.num_threads(),
        "files": process.num_fds(),
        "blocks": sys.getallocatedblocks(),
        "in use": in_use() / 2**20,
        "resident": process.memory_info().rss / 2**20,
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
BARE = """
async def over(reason):
    tell(ctx, reason)

ctx.add_shutdown_callback(over)
written, gone, reading = asyncio.Event(), asyncio.Event(), []

async def read(reader):
    await reader.read_all()
    written.set()

await appear(ctx)
me, source = ctx.room.local_participant, rtc.AudioSource(24000, 1)
ctx.room.register_text_stream_handler(
    "lk.chat", lambda reader, _: reading.append(asyncio.create_task(read(reader)))
)
ctx.room.on("participant_disconnected", lambda _: gone.set())
track = await me.publish_track(rtc.LocalAudioTrack.create_audio_track("voice", source))
await track.wait_for_subscription()
tell(ctx, kept())
await written.wait()
await me.send_text("Yes.", topic="lk.transcription", attributes={"lk.segment_id": "1"})
await source.capture_frame(rtc.AudioFrame(TONE.tobytes(), 24000, 1, len(TONE)))
await gone.wait()
ctx.room.unregister_text_stream_handler("lk.chat")
await source.aclose()
ctx.shutdown("gone")
"""


async def one(server: LiveKitServer, agent: str, number: int, folder: Path) -> dict[str, Any]:
    room = f"{agent} {number}"
    async with rooms_of(server) as rooms, Caller(server, room) as caller:
        await caller.join(microphone=False)
        await rooms.dispatch(room, agent)
        await until(lambda: bool(told(folder, room)))
        await caller.write("hello")
        await caller.until(lambda: caller.lines and caller.lines[-1].over and caller.sounding())
    await until(lambda: len(told(folder, room)) == 2)
    return dict(told(folder, room)[0])


async def held(
    server: LiveKitServer, folder: Path, agent: str, body: str
) -> tuple[dict[str, float], dict[str, float]]:
    """What a process has at the same moment of early calls and of the last ones."""
    with at_work(write(folder, body, BEFORE, agent=agent), server) as worker:
        await worker.registered()
        seen = [await one(server, agent, number, folder) for number in range(CALLS)]
    for number in (*range(0, CALLS, max(1, CALLS // 8)), CALLS - 1):
        print(agent, number, seen[number])  # noqa: T201
    early, late = seen[SETTLED : 2 * SETTLED], seen[-SETTLED:]
    return tuple({w: median(e[w] for e in some) for w in seen[0]} for some in (early, late))  # type: ignore[return-value]


async def test_calls_one_after_the_other_in_one_process_leave_nothing(
    livekit_server: LiveKitServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    many = [held(livekit_server, tmp_path_factory.mktemp("many"), "many", BODY)]
    if CALLS >= 200:
        many.append(held(livekit_server, tmp_path_factory.mktemp("bare"), "bare", BARE))
    (early, late), *bare = await asyncio.gather(*many)
    for what in ("tasks", "sessions", "objects of ours", "files"):
        assert late[what] <= early[what], what
    assert late["threads"] <= early["threads"] + THREADS
    assert late["blocks"] - early["blocks"] < BLOCKS * (CALLS - 2 * SETTLED)
    assert late["in use"] - early["in use"] < IN_USE
    for before, after in bare:
        grown = late["resident"] - early["resident"] - (after["resident"] - before["resident"])
        assert grown / (CALLS - 2 * SETTLED) < RESIDENT
