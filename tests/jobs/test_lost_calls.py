"""An agent that dies in a call is followed by another one; kill -9 is what it dies of here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.jobs.workers import alive, at_work, kill_process, rooms_of, until, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.jobs.workers import Worker
    from tests.livekit_server import LiveKitServer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

# What a job does, once a file has the name of its room, is what its metadata says.
BODY = """
await appear(ctx)
while not Path(ctx.room.name).exists():
    await asyncio.sleep(0.05)
if ctx.job.metadata == "leave":
    ctx.shutdown("it was enough")
if ctx.job.metadata == "crash at the end":
    ctx.add_shutdown_callback(crash)
    ctx.shutdown("it was enough")
if ctx.job.metadata == "give up":
    os._exit(3)
"""
REQUEST = """
async def crash(reason):
    os._exit(3)


async def request(job):
    same = job.job.metadata == "always ada"
    await job.accept(identity="ada" if same else f"agent-{job.id}")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lost")


@pytest.fixture(scope="module")
def program(folder: Path) -> Path:
    path = write(folder, BODY, REQUEST)
    text = path.read_text()
    path.write_text(text.replace('agent_name="ada"', 'agent_name="ada", on_request=request'))
    return path


@pytest.fixture(scope="module")
def worker(program: Path, livekit_server: LiveKitServer) -> Iterator[Worker]:
    with at_work(program, livekit_server) as worker:
        yield worker


async def test_a_caller_whose_agent_dies_gets_another_one(
    livekit_server: LiveKitServer, worker: Worker
) -> None:
    await worker.registered()
    async with rooms_of(livekit_server) as rooms, rooms.caller("lost"):
        await rooms.dispatch("lost", metadata="of the user", attributes={"theirs": "kept"})
        first = await rooms.agent("lost")
        kill_process(first)
        second = await rooms.agent("lost", other_than=first.identity)

        assert first.attributes["lost"] == ""
        assert second.attributes["lost"] == "its process was killed (SIGKILL), 1"
        assert second.attributes["metadata"] == "of the user"
        again = (await rooms.dispatches("lost"))[-1]
        assert again.attributes["theirs"] == "kept"


async def test_the_dead_agent_is_gone_before_one_of_its_name_comes(
    livekit_server: LiveKitServer, worker: Worker
) -> None:
    await worker.registered()
    async with rooms_of(livekit_server) as rooms, rooms.caller("same"):
        await rooms.dispatch("same", metadata="always ada")
        first = await rooms.agent("same")
        kill_process(first)
        second = await rooms.agent("same", not_in=first.attributes["pid"])
        assert second.identity == first.identity == "ada"


async def test_a_call_is_given_three_new_agents_at_most(
    livekit_server: LiveKitServer, worker: Worker
) -> None:
    await worker.registered()
    async with rooms_of(livekit_server) as rooms, rooms.caller("thrice"):
        await rooms.dispatch("thrice")
        agent = await rooms.agent("thrice")
        for times in (1, 2, 3):
            kill_process(agent)
            agent = await rooms.agent("thrice", other_than=agent.identity)
            assert agent.attributes["lost"] == f"its process was killed (SIGKILL), {times}"
        kill_process(agent)
        await worker.says("room thrice has lost 4 agents: no other one is asked for")
        assert len(await rooms.dispatches("thrice")) == 4
        assert await rooms.agents("thrice") == []


async def test_a_room_that_everybody_has_left_gets_no_new_agent(
    livekit_server: LiveKitServer, worker: Worker
) -> None:
    await worker.registered()
    async with rooms_of(livekit_server) as rooms:
        await rooms.dispatch("empty")
        kill_process(await rooms.agent("empty"))
        await worker.says("nobody is left in room empty: it needs no new agent")
        assert len(await rooms.dispatches("empty")) == 1


async def test_a_process_that_ends_itself_with_a_failure_is_a_death(
    livekit_server: LiveKitServer, worker: Worker, folder: Path
) -> None:
    await worker.registered()
    (folder / "gives up").touch()
    async with rooms_of(livekit_server) as rooms, rooms.caller("gives up"):
        await rooms.dispatch("gives up", metadata="give up")
        await worker.says("the agent in room gives up is gone: its process ended with status 3", 4)


@pytest.mark.parametrize("ends", ["leave", "crash at the end"])
async def test_an_agent_that_has_left_in_order_is_not_followed(
    livekit_server: LiveKitServer, worker: Worker, folder: Path, ends: str
) -> None:
    await worker.registered()
    async with rooms_of(livekit_server) as rooms, rooms.caller(ends):
        await rooms.dispatch(ends, metadata=ends)
        agent = await rooms.agent(ends)
        (folder / ends).touch()
        await rooms.empty_of_agents(ends)
        await until(lambda: not alive(int(agent.attributes["pid"])))
        # Another death, which the worker hears of later, is looked after by then.
        async with rooms.caller(f"after {ends}"):
            await rooms.dispatch(f"after {ends}")
            kill_process(first := await rooms.agent(f"after {ends}"))
            await rooms.agent(f"after {ends}", other_than=first.identity)
        assert len(await rooms.dispatches(ends)) == 1
        assert f"the agent in room {ends} is gone" not in worker.said


async def test_where_no_worker_is_free_it_is_asked_again_until_one_is(
    livekit_server: LiveKitServer, worker: Worker, folder: Path
) -> None:
    await worker.registered()
    async with rooms_of(livekit_server) as rooms, rooms.caller("full"):
        await rooms.dispatch("full")
        first = await rooms.agent("full")
        (folder / "full").touch()
        try:
            await worker.says("marking as unavailable")
            await rooms.dispatch("unlucky")  # nobody asks for that one again
            kill_process(first)
            await worker.says("no worker is free for room full")
        finally:
            (folder / "full").unlink()
        await rooms.agent("full", other_than=first.identity)
        assert len(await rooms.dispatches("full")) == 2
        assert await rooms.agents("unlucky") == []


async def test_redispatch_0_leaves_a_call_as_it_is(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    with at_work(write(tmp_path, agent="eve"), livekit_server, "--redispatch", 0) as worker:
        await worker.registered()
        async with rooms_of(livekit_server) as rooms, rooms.caller("alone"):
            await rooms.dispatch("alone", "eve")
            kill_process(await rooms.agent("alone"))
            await worker.says("the agent in room alone is gone: its process was killed (SIGKILL)")
            worker.stop()
            assert await worker.ended() == 0
            assert len(await rooms.dispatches("alone")) == 1


async def test_a_worker_looks_after_the_calls_that_its_predecessor_left(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    program, journal = write(tmp_path, agent="eve"), tmp_path / "calls.jsonl"
    async with rooms_of(livekit_server) as rooms, rooms.caller("left"):
        with at_work(program, livekit_server, "--journal", journal) as worker:
            await worker.registered()
            await rooms.dispatch("left", "eve", metadata="a secret of the user's")
            first = await rooms.agent("left")
            await rooms.dispatch("left empty", "eve")
            await rooms.agent("left empty")
            worker.kill()
        text = journal.read_text()
        assert first.identity in text
        assert "a secret" not in text
        assert livekit_server.secret not in text
        assert "eyJ" not in text
        assert journal.stat().st_mode & 0o077 == 0

        with at_work(program, livekit_server, "--journal", journal) as worker:
            second = await rooms.agent("left", other_than=first.identity)
            assert second.attributes["lost"] == "its worker died, 1"
            assert second.attributes["metadata"] == "a secret of the user's"
            await worker.says("nobody is left in room left empty")
            await until(lambda: began_and_over(journal) == {second.identity})
            assert len(await rooms.dispatches("left")) == 2  # a dispatch taken back ends its job


async def test_a_room_that_has_an_agent_again_gets_no_other(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    program, journal = write(tmp_path, agent="eve"), tmp_path / "calls.jsonl"
    async with rooms_of(livekit_server) as rooms, rooms.caller("taken"):
        with at_work(program, livekit_server, "--journal", journal) as worker:
            await worker.registered()
            await rooms.dispatch("taken", "eve")
            first = await rooms.agent("taken")
            worker.kill()
        with at_work(program, livekit_server) as other:
            await other.registered()
            await rooms.dispatch("taken", "eve")  # as an application may do that watches its rooms
            await rooms.agent("taken", besides=first.identity)
            with at_work(program, livekit_server, "--journal", journal) as worker:
                await worker.says("room taken has an agent: it needs no other")
                agent = await rooms.agent("taken", other_than=first.identity)
                assert agent.attributes["lost"] == ""


def began_and_over(journal: Path) -> set[str]:
    """The agents whose calls go on, as the journal tells."""
    calls = {}
    for line in map(json.loads, journal.read_text().splitlines()):
        if line["call"] == "began":
            calls[line["job"]] = line["identity"]
        else:
            calls.pop(line["job"], None)
    return set(calls.values())
