"""How a call in a room ends: the caller hangs up, the room is lost, or the session closes it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc
from livekit.agents import CloseReason, get_job_context

from antiphon.pipeline.errors import RoomLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import CloseEvent
    from livekit.agents.voice.room_io import RoomOptions

    from antiphon.room_link import Link
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.room")

LEFT: Final = {
    rtc.DisconnectReason.CLIENT_INITIATED,
    rtc.DisconnectReason.ROOM_DELETED,
    rtc.DisconnectReason.USER_REJECTED,
}
"""How somebody leaves who means to; only a client that connects anew does so and comes back."""
BACK: Final = 2.0  # seconds that takes, at most
DELETED: Final = 2.0  # seconds that deleting the room may take


class RoomEnding:
    """`hold(True)` is called while somebody has gone who may be back, in which nothing is said.

    Mutable state: the time until it is a hang-up, and the room's deletion.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        room: rtc.Room,
        link: Link,
        options: RoomOptions,
        hold: Callable[[bool], None],
    ) -> None:
        self._session = session
        self._room = room
        self._link = link
        self._options = options
        self._hold = hold
        self._gone: asyncio.TimerHandle | None = None
        self._deletion: asyncio.Future[Any] | None = None

    def open(self) -> None:
        """Look out for it."""
        self._room.on("disconnected", self._lost)
        self._room.on("participant_disconnected", self._left)
        self._session.on("close", self._closed)

    def close(self) -> None:
        self._room.off("disconnected", self._lost)
        self._room.off("participant_disconnected", self._left)
        self._session.off("close", self._closed)
        if self._gone is not None:
            self._gone.cancel()

    def back(self) -> None:
        """Somebody to talk with is there."""
        if self._gone is not None:
            self._gone.cancel()
            self._gone = None
            self._hold(False)

    async def deleted(self) -> None:
        """Wait until the room is, where it is to be."""
        if self._deletion is not None:
            await asyncio.wait([self._deletion], timeout=DELETED)

    def _lost(self, reason: rtc.DisconnectReason.ValueType) -> None:
        name = rtc.DisconnectReason.Name(reason)
        logger.info("the room %s was left: %s", self._room.name, name)
        if reason == rtc.DisconnectReason.CLIENT_INITIATED:
            self._session.end(CloseReason.JOB_SHUTDOWN)
        elif reason in LEFT:
            self._session.end(CloseReason.PARTICIPANT_DISCONNECTED)
        else:
            error = RoomLost(f"the connection to the room {self._room.name} was lost: {name}")
            self._session.end(CloseReason.ERROR, error)

    def _left(self, participant: rtc.RemoteParticipant) -> None:
        closes = self._options.close_on_disconnect and participant.disconnect_reason in LEFT
        if self._link.gone(participant) and closes:
            self._hold(True)  # what nobody hears is not said
            self._gone = asyncio.get_running_loop().call_later(BACK, self._hang_up)

    def _hang_up(self) -> None:
        logger.info("%s has left the room; the session closes", self._link.identity)
        self._session.end(CloseReason.PARTICIPANT_DISCONNECTED)

    def _closed(self, _: CloseEvent) -> None:
        if self._options.delete_room_on_close:
            job = get_job_context(required=False)
            if job is None:
                logger.error("delete_room_on_close: only a job can delete its room")
            else:
                self._deletion = job.delete_room(self._room.name)
