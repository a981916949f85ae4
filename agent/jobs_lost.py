"""Calls whose agent died: the server is asked for another one, at once.

A LiveKit server does not dispatch again when a job's process dies: the caller would sit in
silence. The worker's main process sees the death; of the calls of a worker that died itself, its
successor reads in the journal. The new job has the dispatch's own metadata, and beside the
dispatch's own attributes those named here: `lost_call(ctx)` reads them.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp
from livekit import api
from livekit.agents.types import ATTRIBUTE_AGENT_NAME
from livekit.protocol import agent as agents
from livekit.protocol.models import ParticipantInfo

from antiphon.journal import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from livekit.agents import JobContext
    from livekit.agents.job import RunningJobInfo

    from antiphon.journal import Journal
    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.worker")

AGAIN: Final = 3  # new agents for one call, at most
WHY: Final = "antiphon.lost.why"
JOB: Final = "antiphon.lost.job"
TIMES: Final = "antiphon.lost.times"
WORKER_DIED: Final = "its worker died"

PATIENCE: Final = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between two tries to reach the server
TAKEN_WITHIN: Final = 6.0  # seconds in which a dispatch is taken, or no worker is free: a server
# that has just met a worker asks all its nodes who is there, for five, before it tells of a job
COUNTED: Final = 5.5  # seconds, in which a node has counted who is in a room
LAST: Final = 5.0  # seconds a worker that ends still looks after lost calls
GLANCE: Final = 0.25  # seconds between two looks at who is there
PEOPLE: Final = (ParticipantInfo.STANDARD, ParticipantInfo.SIP, ParticipantInfo.CONNECTOR)


@dataclass(frozen=True, slots=True)
class LostCall:
    """What a job knows of the one whose call it goes on with."""

    why: str
    job: str
    times: int  # agents this call has lost


def lost_call(job: JobContext) -> LostCall | None:
    """The call that this job goes on with; None for a call's first agent."""
    said = job.job.attributes
    if WHY not in said:
        return None
    return LostCall(said[WHY], said.get(JOB, ""), _times(said.get(TIMES, "")))


class LostCalls:
    """Hears of every job of a worker, and asks for a new agent where one died in its call.

    Mutable state: whether the journal has been read, the calls that go on, and the calls that are
    being looked after.
    """

    def __init__(self, scope: Scope, journal: Journal | None, again: int = AGAIN) -> None:
        self._scope = scope
        self._journal = journal
        self._again = again
        self._read = journal is None or not again
        self._going_on: dict[str, Call] = {}
        self._open: set[asyncio.Task[None]] = set()

    def began(self, job: RunningJobInfo) -> None:
        if _is_call(job):
            self._going_on[job.job.id] = _call(job)
            if self._journal is not None:
                self._journal.began(_call(job))

    def leaving(self, job: RunningJobInfo) -> None:
        """It ends in order: whatever comes now, its call is over."""
        if self._going_on.pop(job.job.id, None) and self._journal is not None:
            self._journal.over(job.job.id)

    def going_on(self, room: str, agent: str) -> Call | None:
        """The call in that room that an agent of that name holds, here or in another worker that
        shares the journal; None where no call is looked after."""
        if not self._again:
            return None
        theirs = self._journal.going_on() if self._journal is not None else []
        calls = [*self._going_on.values(), *theirs]
        return next((each for each in calls if (each.room, each.agent) == (room, agent)), None)

    def ended(self, job: RunningJobInfo, died: str) -> None:
        """`died`: what of, or "" when it ended in order."""
        if not _is_call(job):
            return
        call = _call(job)
        if died:
            logger.error("the agent in room %s is gone: %s", call.room, died)
        looked_after = call.job not in self._going_on  # or it has ended in order
        if died and self._again and not (looked_after or self._scope.closing):
            self.look_after(call, died, asked_with(job.job))
        else:
            self.leaving(job)

    def registered(self) -> None:
        """The server knows the worker: it can be given what its predecessor left."""
        if self._read or self._journal is None:
            return
        self._read = True
        for call in self._journal.left_behind():
            self._journal.began(call)  # until it is looked after, it is this worker's
            self.look_after(call, WORKER_DIED)

    def look_after(self, call: Call, why: str, asked: api.AgentDispatch | None = None) -> None:
        """Send that call another agent, if it needs one; with "", it goes on with no other.

        `asked` is what it was asked for with, which the server knows where it is left out.
        """
        self._going_on.pop(call.job, None)
        task = self._scope.start(f"lost call {call.job}", self._replace(call, why, asked))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def settled(self) -> None:
        """Wait until each call has been looked after; not for ever."""
        if self._open:
            await asyncio.wait(self._open, timeout=LAST)

    async def _replace(self, call: Call, why: str, asked: api.AgentDispatch | None) -> None:
        for wait in (*PATIENCE, None):
            try:
                async with api.LiveKitAPI() as server:
                    if await _replaced(server, call, why, asked, self._again):
                        break
            except (aiohttp.ClientError, TimeoutError, api.TwirpError) as error:
                logger.warning("no new agent for room %s yet: %s", call.room, error)
            if wait is None:
                logger.error("there is no new agent for room %s", call.room)
            else:
                await asyncio.sleep(wait)
        if self._journal is not None:
            self._journal.over(call.job)


async def _replaced(
    server: api.LiveKitAPI, call: Call, why: str, asked: api.AgentDispatch | None, again: int
) -> bool:
    """Put a new agent into the room, if one belongs there; False when none could be had yet.

    The dead one goes first: the new one may well have its name. Where the worker died, time has
    passed: somebody else may have sent an agent, or taken back what was `asked`.
    """
    there = await participants(server, call.room)
    if any(each.identity == call.identity for each in there):
        await _remove(server, call)
    there = [each for each in there if each.identity != call.identity]
    if not any(each.kind in PEOPLE for each in there):
        if asked is None or not await _is_forgotten(server, call):
            logger.info("nobody is left in room %s: it needs no new agent", call.room)
            return True
        logger.warning("the server has forgotten who is in room %s", call.room)
    if asked is None and any(is_agent(each, call.agent) for each in there):
        logger.info("room %s has an agent: it needs no other", call.room)
        return True
    asked = asked or await _dispatch(server, call)
    if asked is None:
        logger.info("the dispatch to room %s was deleted: no new agent is asked for", call.room)
        return True
    times = _times(asked.attributes.get(TIMES, "")) + 1
    if times > again:
        logger.error("room %s has lost %d agents: no other one is asked for", call.room, times)
        return True
    lost = {WHY: why, JOB: call.job, TIMES: str(times)} if why else {}
    return await _dispatched(
        server, asked, {**asked.attributes, **lost}, {each.identity for each in there}
    )


async def _is_forgotten(server: api.LiveKitAPI, call: Call) -> bool:
    """A Redis that started again knows nobody in a room whose node counts them all the same.

    It counts every five seconds: who left last is counted until then.
    """
    asked = api.ListRoomsRequest(names=[call.room])
    found = (await server.room.list_rooms(asked)).rooms
    if found and not found[0].num_participants:
        return False
    await asyncio.sleep(COUNTED)
    found = (await server.room.list_rooms(asked)).rooms
    if found:
        return bool(found[0].num_participants)
    try:
        return await _dispatch(server, call) is not None
    except api.TwirpError:
        return False  # it is no node's


async def _dispatched(
    server: api.LiveKitAPI, like: api.AgentDispatch, attributes: dict[str, str], before: set[str]
) -> bool:
    """Dispatch again; False when no worker has taken it, in which case it is withdrawn: a server
    keeps no dispatch for a worker that is free later, and ends the job of one that was taken."""
    asked = await server.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(
            agent_name=like.agent_name,
            room=like.room,
            metadata=like.metadata,
            restart_policy=like.restart_policy,
            deployment=like.deployment,
            attributes=attributes,
        )
    )
    logger.info("asked for a new agent for room %s: dispatch %s", like.room, asked.id)
    loop = asyncio.get_running_loop()
    until = loop.time() + TAKEN_WITHIN
    while loop.time() < until:
        now = await server.agent_dispatch.get_dispatch(asked.id, like.room)
        if now is None or now.state.jobs:
            return True
        new = [p for p in await participants(server, like.room) if p.identity not in before]
        if any(is_agent(each, like.agent_name) for each in new):
            return True
        await asyncio.sleep(GLANCE)
    logger.warning("no worker is free for room %s", like.room)
    await server.agent_dispatch.delete_dispatch(asked.id, like.room)
    return False


async def participants(server: api.LiveKitAPI, room: str) -> list[ParticipantInfo]:
    """Who is in the room; nobody is in one that is gone."""
    try:
        listed = await server.room.list_participants(api.ListParticipantsRequest(room=room))
    except api.TwirpError as error:
        if error.code == api.TwirpErrorCode.NOT_FOUND:
            return []
        raise
    return list(listed.participants)


async def _remove(server: api.LiveKitAPI, call: Call) -> None:
    try:
        await server.room.remove_participant(
            api.RoomParticipantIdentity(room=call.room, identity=call.identity)
        )
    except api.TwirpError as error:
        if error.code != api.TwirpErrorCode.NOT_FOUND:
            raise


async def _dispatch(server: api.LiveKitAPI, call: Call) -> api.AgentDispatch | None:
    dispatches: Iterable[api.AgentDispatch] = await server.agent_dispatch.list_dispatch(call.room)
    return next((each for each in dispatches if each.id == call.dispatch), None)


def is_agent(participant: ParticipantInfo, name: str) -> bool:
    agent = participant.kind == ParticipantInfo.AGENT
    return agent and participant.attributes.get(ATTRIBUTE_AGENT_NAME, "") == name


def _is_call(job: RunningJobInfo) -> bool:
    """A dispatch is what can be asked for again, and it asks for an agent of a whole room."""
    asked = job.job
    return asked.type == agents.JobType.JT_ROOM and bool(asked.dispatch_id)


def _call(job: RunningJobInfo) -> Call:
    asked = job.job
    return Call(
        asked.id,
        asked.dispatch_id,
        asked.room.name,
        asked.agent_name,
        job.accept_arguments.identity,
        asked.room.sid,
    )


def asked_with(asked: agents.Job) -> api.AgentDispatch:
    """What a job was asked for with."""
    return api.AgentDispatch(
        agent_name=asked.agent_name,
        room=asked.room.name,
        metadata=asked.metadata,
        deployment=asked.deployment,
        attributes=asked.attributes,
    )


def _times(said: str) -> int:
    return int(said) if said.isdecimal() else 0
