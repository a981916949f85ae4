"""Several workers and many rooms on a real server: who gets which call, and what they survive."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from tests.jobs.workers import LONG, alive, at_work, kill_process, rooms_of, told, until, write
from tests.livekit_server import serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.livekit_server import LiveKitServer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(240)]

TEN = [f"room {number}" for number in range(10)]
# Says how its session ended; ends it when a file has the name of the room.
TALKS = """
session = AgentSession()
session.on("close", lambda event: tell(ctx, event.reason.value))
ctx.add_shutdown_callback(lambda reason: gone(ctx, reason))
await appear(ctx)
await session.start(Agent(instructions=""))
while not Path(ctx.job.room.name).exists():
    await asyncio.sleep(0.05)
ctx.shutdown("all was said")
"""
GONE = """
async def gone(ctx, reason):
    tell(ctx, reason)
"""


async def test_ten_rooms_and_two_workers_one_agent_each_and_a_death_is_felt_by_one_call_only(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    program = write(tmp_path, agent="ten")
    with at_work(program, livekit_server) as one, at_work(program, livekit_server) as other:
        await one.registered()
        await other.registered()
        async with rooms_of(livekit_server) as rooms, rooms.caller(TEN[0]):
            agents = {}
            for room in TEN:  # one after the other: what comes at once may find no worker free
                await rooms.dispatch(room, "ten")
                agents[room] = await rooms.agent(room)
            assert len({agent.attributes["pid"] for agent in agents.values()}) == 10
            taken = [worker.said.count("received job request") for worker in (one, other)]
            assert sum(taken) == 10

            kill_process(agents[TEN[0]])
            await rooms.agent(TEN[0], other_than=agents[TEN[0]].identity)
            for room in TEN[1:]:
                agent = await rooms.agent(room)
                assert (agent.sid, agent.joined_at_ms) == (
                    agents[room].sid,
                    agents[room].joined_at_ms,
                )


async def test_a_worker_told_to_end_finishes_its_calls_looks_after_them_and_takes_no_new_ones(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    program = write(tmp_path, TALKS, GONE, agent="drained")
    with at_work(program, livekit_server) as old:
        await old.registered()
        async with rooms_of(livekit_server) as rooms, rooms.caller("last"):
            agents = {}
            for room in ("old call", "last"):
                await rooms.dispatch(room, "drained")
                agents[room] = await rooms.agent(room)
            with at_work(program, livekit_server) as new:
                await new.registered()
                old.stop()
                await old.says("draining worker")
                for number in range(4):
                    await rooms.dispatch(f"new call {number}", "drained")
                    await rooms.agent(f"new call {number}")
                assert old.running
                assert old.said.count("received job request") == 2
                assert new.said.count("received job request") == 4
                assert (await rooms.agent("old call")).sid == agents["old call"].sid

                (tmp_path / "old call").touch()
                await until(lambda: len(told(tmp_path, "old call")) == 2)
                assert told(tmp_path, "old call") == ["job_shutdown", "all was said"]

                kill_process(agents["last"])  # with it the worker's last call is over
                assert await old.ended() == 0
                await rooms.agent("last", other_than=agents["last"].identity)


async def test_calls_that_go_on_for_too_long_are_closed_when_the_worker_ends(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    # An entry point that has returned: one that has not is given 15 s.
    returns = TALKS.partition("while")[0]
    program = write(tmp_path, returns, GONE, agent="endless")
    with at_work(program, livekit_server, "--drain-timeout", 1) as worker:
        await worker.registered()
        async with rooms_of(livekit_server) as rooms:
            await rooms.dispatch("endless", "endless")
            await rooms.agent("endless")
            worker.stop()
            assert await worker.ended() == 0
            assert told(tmp_path, "endless") == ["job_shutdown", "parent process shutdown"]
            assert await rooms.agents("endless") == []


async def test_a_second_signal_ends_a_worker_at_once_and_its_calls_with_it(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    program = write(tmp_path, agent="hurried")
    with at_work(program, livekit_server) as worker:
        await worker.registered()
        async with rooms_of(livekit_server) as rooms:
            await rooms.dispatch("hurried", "hurried")
            agent = await rooms.agent("hurried")
            worker.stop()
            await worker.says("draining worker")
            worker.stop()
            assert await worker.ended() == 128 + 15
            await until(lambda: not alive(int(agent.attributes["pid"])))


# A call that blocks its loop; the next process is being set up until a file says so.
BLOCKS = """
await appear(ctx)
time.sleep(1000)
"""
SETS_UP = """
import time


def setup(process):
    if Path("called").exists():
        Path("setting up").touch()
        while not Path("set up").exists():
            time.sleep(0.01)


server.setup_fnc = setup
"""


async def test_no_process_outlives_a_worker_that_is_killed(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    program = write(tmp_path, BLOCKS, SETS_UP, agent="killed")
    with at_work(program, livekit_server) as worker:
        await worker.registered()
        (tmp_path / "called").touch()
        async with rooms_of(livekit_server) as rooms:
            await rooms.dispatch("killed", "killed")
            await rooms.agent("killed")
            await until(lambda: (tmp_path / "setting up").exists())
            # What a worker has not read when it dies is an error to who wrote it, and no end.
            worker.process.send_signal(signal.SIGSTOP)
            (tmp_path / "set up").touch()
            await asyncio.sleep(1)
            left = worker.processes()
            assert len(left) >= 3  # the one that forks, and two for jobs
            worker.kill()
            await until(lambda: not any(map(alive, left)))


@pytest.mark.parametrize("name", ["survivor", ""])  # without one, every new room is sent an agent
async def test_a_call_goes_on_when_its_server_comes_back_and_new_ones_are_taken(
    tmp_path: Path, name: str
) -> None:
    program = write(tmp_path, TALKS, GONE, agent=name)
    with serving(tmp_path) as first, at_work(program, first) as worker:
        await worker.registered()
        async with rooms_of(first) as rooms, rooms.caller("cut off"):
            await rooms.ask("cut off", name)
            agent = await rooms.agent("cut off")
            first.kill()
            with serving(tmp_path, first.port) as second:
                async with rooms_of(second) as rooms:
                    await rooms.present("cut off", agent.identity, "caller")
                    await worker.says("registered worker", 2)
                    await rooms.ask("next", name)
                    await rooms.agent("next")
                    await rooms.present("cut off", agent.identity, "caller")
                    assert told(tmp_path, "cut off") == []
                    (tmp_path / "cut off").touch()
                    await until(lambda: len(told(tmp_path, "cut off")) == 2)
                    assert told(tmp_path, "cut off") == ["job_shutdown", "all was said"]


async def test_a_call_whose_server_stays_away_ends_with_a_reason(tmp_path: Path) -> None:
    program = write(tmp_path, TALKS.partition("while")[0], GONE, agent="survivor")
    with serving(tmp_path) as server, at_work(program, server) as worker:
        await worker.registered()
        async with rooms_of(server) as rooms:
            await rooms.dispatch("cut off", "survivor")
            await rooms.agent("cut off")
        server.kill()
        await until(lambda: len(told(tmp_path, "cut off")) == 2, LONG)
        assert told(tmp_path, "cut off") == ["job_shutdown", "room disconnected"]
