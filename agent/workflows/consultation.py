"""A room of its own, in which the agent asks a human to take a call over."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from livekit import api, rtc
from livekit.agents import utils
from livekit.agents.voice.room_io import RoomOptions
from livekit.rtc.participant import PublishTrackError

from antiphon.nodes.room_relay import RoomRelay
from antiphon.pipeline.streams import Scope
from antiphon.worker import server_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import CloseEvent, JobContext

    from antiphon.agent import Agent
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.workflows")

FAILED: Final = (aiohttp.ClientError, TimeoutError, api.TwirpError, PublishTrackError)
HUMAN: Final = "human-agent-sip"
HUNG_UP: Final = "the human agent hung up"
CALLER_HUNG_UP: Final = "the caller has hung up"
SEEN_WITHIN: Final = 5.0  # seconds from when the call is taken to when the human is in the room
NOBODY: Final = "nobody"  # an agent that no worker has: without a name, any worker would send one
CANNOT: Final = "not implemented"  # what an open LiveKit server says to a move between rooms


class Consultation:
    """The room, and the session there with the human; `over(why)` is called when that ends.

    It is the job's: where the room's server cannot move a participant, the agent stays in both
    rooms, and has the two people hear each other.

    Mutable state: the session, who talks with whom in the end, their voices where they are relayed,
    and whether the room was left.
    """

    def __init__(self, job: JobContext, over: Callable[[str], None]) -> None:
        self.name = f"{job.room.name}-human-agent-{utils.shortuuid()}"
        self.room = rtc.Room()
        self._job = job
        self._over = over
        self._scope = Scope("consultation")
        self._session: AgentSession[Any] | None = None
        self._talking: set[str] = set()
        self._relays: list[RoomRelay] = []
        self._relaying = False
        self._left = False

        async def close() -> None:
            await self._leave()
            await self._scope.close()

        job.add_shutdown_callback(close)

    async def begin(self, session: AgentSession[Any], agent: Agent) -> None:
        """Make the room, and wait in it for the human."""
        nobody = [api.RoomAgentDispatch(agent_name=NOBODY)]
        await self._job.api.room.create_room(api.CreateRoomRequest(name=self.name, agents=nobody))
        await self.room.connect(server_url(self._job), self._token())
        session.on("close", self._closed)
        self._session = session
        options = RoomOptions(participant_identity=HUMAN)
        await session.start(agent, room=self.room, room_options=options, record=False)

    async def answered(self) -> None:
        """The human has taken the call: from now on, whoever is not there has hung up, for whatever
        reason, and a caller waits for nobody."""
        self.room.on("participant_disconnected", self._hung_up)
        try:
            async with asyncio.timeout(SEEN_WITHIN):
                await utils.wait_for_participant(self.room, identity=HUMAN)
        except (RuntimeError, TimeoutError):
            self._over(HUNG_UP)

    async def merge(self, caller: str) -> None:
        """Have the human and the caller hear each other, until one of them leaves."""
        into, self._talking = self._job.room, {HUMAN, caller}
        if not await self._moved(into):
            logger.info("this server moves nobody: the agent relays the voices of %s", into.name)
            try:
                await self._relay(self.room, HUMAN, into)
                await self._relay(into, caller, self.room)
            except PublishTrackError:
                await self._end_relays()  # no half of it: it may be tried once more
                raise
            self._relaying = True
            self.room.on("participant_disconnected", self._parted)
            if HUMAN not in self.room.remote_participants:
                self._over(HUNG_UP)
                await self._leave()
        into.on("participant_disconnected", self._parted)
        if caller not in into.remote_participants:
            self._over(CALLER_HUNG_UP)
            self._part(caller)

    async def _moved(self, into: rtc.Room) -> bool:
        """Into that room, the human is; False where the server moves nobody."""
        self.room.off("participant_disconnected", self._hung_up)  # who is moved leaves, too
        asked = api.MoveParticipantRequest(
            room=self.name, identity=HUMAN, destination_room=into.name
        )
        try:
            await self._job.api.room.move_participant(asked)
        except api.TwirpError as error:
            self.room.on("participant_disconnected", self._hung_up)
            if CANNOT not in error.message:
                raise
            return False
        return True

    def end(self, *, drain: bool = True) -> None:
        """The agent has nothing more to say to the human."""
        if self._session is not None:
            self._session.shutdown(drain=drain)
        elif not self._scope.closing:
            self._scope.start("leave", self._leave())

    async def _relay(self, room: rtc.Room, identity: str, other: rtc.Room) -> None:
        relay = RoomRelay(room, self._scope)
        self._relays.append(relay)
        await relay.publish(other, identity)
        relay.follow(identity)

    def _token(self) -> str:
        grants = api.VideoGrants(room_join=True, room=self.name, can_update_own_metadata=True)
        identity = self._job.room.local_participant.identity
        token = api.AccessToken().with_identity(identity).with_kind("agent")
        return token.with_grants(grants).to_jwt()

    def _closed(self, event: CloseEvent) -> None:
        self._over(HUNG_UP if event.error is None else f"{event.error}")
        if not self._relaying and not self._scope.closing:
            self._scope.start("leave", self._leave())

    def _hung_up(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == HUMAN:
            self._over(HUNG_UP)

    def _parted(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity in self._talking and not self._scope.closing:
            self._part(participant.identity)

    def _part(self, identity: str) -> None:
        """One of the two has left: the call is over for the other, too."""
        logger.info("%s has left; the call that was transferred is over", identity)
        self._job.room.off("participant_disconnected", self._parted)
        self._job.delete_room(self._job.room.name)
        self._scope.start("leave", self._leave())

    async def _leave(self) -> None:
        """Close the room, for the human as well."""
        if self._left:
            return
        self._left = True
        await self._end_relays()
        if self.room.isconnected():
            await asyncio.wait([self._job.delete_room(self.name)])
            await self.room.disconnect()

    async def _end_relays(self) -> None:
        for relay in self._relays:
            await relay.aclose()
        self._relays.clear()
