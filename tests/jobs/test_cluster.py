"""Two LiveKit nodes that share one Redis, and a worker at each: what a caller hears of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.jobs.workers import APPEARS, LONG, at_work, kill_process, rooms_of, write
from tests.livekit_cluster import Balancer, node, node_id, redis
from tests.rooms.calling import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from livekit.protocol.models import ParticipantInfo

    from tests.livekit_cluster import Redis
    from tests.livekit_server import LiveKitServer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(240)]

# Answers each line of chat with a tone and the number of its process.
BEFORE = """
import numpy as np
from livekit import rtc

TONE = (8000 * np.sin(np.arange(12000) / 8)).astype(np.int16)


class Answering(Agent):
    async def llm_node(self, chat_ctx, tools, model_settings):
        yield f"{os.getpid()}."

    async def tts_node(self, text, model_settings):
        async for _ in text:
            yield rtc.AudioFrame(TONE.tobytes(), 24000, 1, len(TONE))
"""
BODY = f"""
{APPEARS}
await AgentSession(user_away_timeout=None).start(Answering(instructions=""), room=ctx.room)
"""


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Redis]:
    with redis(tmp_path) as running:
        yield running


@pytest.fixture
def nodes(tmp_path: Path, shared: Redis) -> Iterator[tuple[LiveKitServer, LiveKitServer]]:
    with node(tmp_path, "one", shared) as one, node(tmp_path, "other", shared) as other:
        yield one, other


def program(folder: Path, agent: str) -> Path:
    within = folder / f"of {agent}"
    within.mkdir()
    return write(within, BODY, BEFORE, agent=agent)


async def answers(caller: Caller) -> set[str]:
    """Who answers a line of chat, by voice and in writing; nobody, when none is there."""
    caller.lines.clear()
    heard = len(caller.sounding())
    await caller.write("who is there?")
    with contextlib.suppress(AssertionError):
        await caller.until(lambda: any(line.over for line in caller.lines), 4.0)
        await caller.until(lambda: len(caller.sounding()) > heard, 4.0)
    await caller.hear_out()
    return {line.identity for line in caller.lines}


async def answers_again(caller: Caller, agent: str) -> None:
    """Until that one does, after a loss; never two."""
    async with asyncio.timeout(LONG):
        while (answering := await answers(caller)) != {agent}:
            assert len(answering) <= 1


def newcomers(caller: Caller) -> set[str]:
    """Who comes into the caller's room from now on."""
    came: set[str] = set()
    caller.room.on("participant_connected", lambda who: came.add(who.identity))
    return came


async def test_callers_talk_with_agents_at_the_other_node_also_when_redis_starts_again_empty(
    tmp_path: Path, shared: Redis, nodes: tuple[LiveKitServer, LiveKitServer]
) -> None:
    one, other = nodes
    first, second = program(tmp_path, "first"), program(tmp_path, "second")
    async with contextlib.AsyncExitStack() as stack:
        here = stack.enter_context(at_work(first, one))
        there = stack.enter_context(at_work(second, other))
        await here.registered()
        await there.registered()
        rooms = await stack.enter_async_context(rooms_of(one))

        async def calls_in(room: str, at: LiveKitServer) -> Caller:
            caller = await stack.enter_async_context(Caller(at, room))
            return await caller.join(microphone=False)

        async def call(room: str, at: LiveKitServer, agent: str) -> tuple[Caller, ParticipantInfo]:
            caller = await calls_in(room, at)
            await rooms.dispatch(room, agent)
            answering = await rooms.agent(room)
            await answers_again(caller, answering.identity)
            return caller, answering

        calls = [await call("far", one, "second"), await call("back", other, "first")]
        shared.restart()
        for caller, agent in calls:
            await answers_again(caller, agent.identity)
        await call("new", other, "first")

        # An agent that dies now is followed, though maybe in a second room of that name: nobody
        # knows any more which node has the first one. Whoever calls again meets it.
        dead = calls[0][1]
        kill_process(dead)
        agent = await rooms.agent("far", other_than=dead.identity)
        assert agent.attributes["lost"] == "its process was killed (SIGKILL), 1"
        await answers_again(await calls_in("far", other), agent.identity)


async def test_a_worker_dies_and_then_a_node_and_every_call_goes_on_with_one_agent_and_no_other(
    tmp_path: Path, nodes: tuple[LiveKitServer, LiveKitServer]
) -> None:
    one, other = nodes
    unnamed = program(tmp_path, "")  # one is sent to each room that a node makes
    journal = "--journal", tmp_path / "calls.jsonl"
    async with contextlib.AsyncExitStack() as stack:
        front = (await stack.enter_async_context(Balancer(one, other))).server
        back = (await stack.enter_async_context(Balancer(other, one))).server
        rooms = await stack.enter_async_context(rooms_of(other))
        here = stack.enter_context(at_work(unnamed, front, *journal))
        await here.registered()
        calls = {}
        for room, at, name in ("at one", front, "one"), ("at the other", back, "other"):
            await rooms.make(room, node_id=node_id(tmp_path, name))
            caller = await stack.enter_async_context(Caller(at, room))
            calls[room] = await caller.join(microphone=False)
        dead = {room: (await rooms.agent(room)).identity for room in calls}
        here.kill()
        there = stack.enter_context(at_work(unnamed, back, *journal))
        await there.registered()
        agents = {}
        for room, caller in calls.items():
            agent = await rooms.agent(room, other_than=dead[room])
            assert agent.attributes["lost"] == "its worker died, 1"
            agents[room] = agent.identity
            await answers_again(caller, agent.identity)
        came = {room: newcomers(caller) for room, caller in calls.items()}

        one.kill()
        for room, caller in calls.items():
            await answers_again(caller, agents[room])
            await rooms.present(room, agents[room], "caller")
            assert came[room] <= {agents[room]}  # no stranger answers while it is on its way
        caller = await stack.enter_async_context(Caller(front, "new"))
        await caller.join(microphone=False)
        await answers_again(caller, (await rooms.agent("new")).identity)
