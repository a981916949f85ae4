"""An agent that comes back to its call and finds another one in its place.

A server that starts again, or a node that takes over the rooms of one that died, makes each room
anew and sends it an agent, as to any new room. The agent of the call comes back by itself some
seconds later, and knows what was said: it stays, and the other one is asked out of the room.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import aiohttp
from livekit import api, rtc
from livekit.agents.types import ATTRIBUTE_AGENT_NAME

from antiphon.pipeline.streams import Scope

if TYPE_CHECKING:
    from livekit.agents import JobContext

logger = logging.getLogger("antiphon.worker")

SENT_WITHIN: Final = 30.0  # seconds after its return in which the server may still send another
AGENT: Final = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT


class OnlyAgent:
    """Of a job, for as long as it lasts. Agents that were there before the connection was lost, or
    have another name, are left alone.

    Mutable state: who was there before, and until when another one is taken for a replacement.
    """

    def __init__(self, job: JobContext) -> None:
        self._job = job
        self._before: set[str] = set()
        self._until = 0.0
        self._scope = Scope("only agent")
        job.room.on("reconnecting", self._lost)
        job.room.on("reconnected", self._back)
        job.room.on("participant_connected", self._came)

        async def close() -> None:
            await self._scope.close()

        job.add_shutdown_callback(close)

    def _lost(self) -> None:
        self._before = set(self._job.room.remote_participants)

    def _back(self) -> None:
        self._until = asyncio.get_running_loop().time() + SENT_WITHIN
        for participant in list(self._job.room.remote_participants.values()):
            self._came(participant)

    def _came(self, participant: rtc.RemoteParticipant) -> None:
        if asyncio.get_running_loop().time() > self._until or self._scope.closing:
            return
        name = participant.attributes.get(ATTRIBUTE_AGENT_NAME)
        same = participant.kind == AGENT and name == self._job.job.agent_name
        if same and participant.identity not in self._before:
            self._scope.start("other agent", self._remove(participant.identity))

    async def _remove(self, identity: str) -> None:
        room = self._job.room.name
        logger.warning("room %s was sent another agent, %s: it has to leave again", room, identity)
        asked = api.RoomParticipantIdentity(room=room, identity=identity)
        try:
            await self._job.api.room.remove_participant(asked)
        except (aiohttp.ClientError, TimeoutError, api.TwirpError) as error:
            logger.error("there are two agents in room %s: %s", room, error)
