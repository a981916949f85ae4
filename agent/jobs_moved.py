"""Rooms that a server makes anew, while the agents of their calls are on their way back.

A server that starts again, or a node that takes over the rooms of one that died, asks for an agent
for each room that it makes. The caller would be greeted by a stranger, until the call's own agent
is there again some seconds later (`OnlyAgent`). So the worker of a call that goes on sends none. If
the call's agent does not come back, another one is asked for.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import aiohttp
from livekit import api

from antiphon.jobs_lost import GLANCE, WHY, asked_with, is_agent, participants

if TYPE_CHECKING:
    from livekit.agents import JobRequest
    from livekit.agents.job import RunningJobInfo
    from livekit.protocol.agent import Job

    from antiphon.jobs_lost import LostCalls
    from antiphon.journal import Call
    from antiphon.pipeline.streams import Scope
    from antiphon.service import Answer

logger = logging.getLogger("antiphon.worker")

BACK_WITHIN: Final = 20.0  # seconds; clients that lose a node are back after 10 to 15
EARLIER: Final = 5  # seconds: an agent whose return has made the room was there before it was asked
STAYED_AWAY: Final = "it did not come back after its connection was lost"


class MovedRooms:
    """Answers a server that asks for agents.

    Mutable state: the calls whose agents are waited for.
    """

    def __init__(self, scope: Scope, lost: LostCalls) -> None:
        self._scope = scope
        self._lost = lost
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def died(self, job: RunningJobInfo) -> None:
        """Its agent will not come back, and its call is looked after."""
        if (waiting := self._waiting.pop(job.job.id, None)) is not None:
            waiting.cancel()

    def answering(self, answer: Answer) -> Answer:
        """As the program does, but where the call's own agent is on its way back."""

        async def answering(request: JobRequest) -> None:
            call = self._own(request.job)
            if call is None:
                await answer(request)
                return
            logger.info("room %s was made anew: its agent is coming back", call.room)
            await request.reject()
            waiting = self._scope.start(f"moved call {call.job}", self._wait(call, request.job))
            self._waiting[call.job] = waiting

        return answering

    def _own(self, asked: Job) -> Call | None:
        """The call that goes on in a room for which an agent is asked. An agent without a name is
        asked for once, when its room is made; one with a name may be wanted twice in a room."""
        call = self._lost.going_on(asked.room.name, asked.agent_name)
        if call is None or WHY in asked.attributes:
            return None
        return call if not asked.agent_name or asked.room.sid != call.sid else None

    async def _wait(self, call: Call, asked: Job) -> None:
        """Until its agent is back, or stays away for too long. Where it has ended in order, it was
        another call that an agent was asked for."""
        loop = asyncio.get_running_loop()
        until, why = loop.time() + BACK_WITHIN, STAYED_AWAY
        while not (there := await _has_agent(call, asked)) and loop.time() < until and why:
            await asyncio.sleep(GLANCE)
            if self._lost.going_on(call.room, call.agent) != call:
                why = ""
        self._waiting.pop(call.job, None)
        if not there:
            self._lost.look_after(call, why, asked_with(asked))


async def _has_agent(call: Call, asked: Job) -> bool:
    """By when one has joined: a node that died has left in the store who was there before."""
    since = asked.state.started_at // 10**9 - EARLIER
    try:
        async with api.LiveKitAPI() as server:
            there = await participants(server, call.room)
    except (aiohttp.ClientError, TimeoutError, api.TwirpError) as error:
        logger.debug("who is in room %s is not known: %s", call.room, error)
        return False
    return any(is_agent(each, call.agent) and each.joined_at >= since for each in there)
