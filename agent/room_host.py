"""LiveKit's control stream of a session: another participant of its room follows and steers it.

Whoever is in the room may read the instructions and the history, and speak for the user: so a
program has to ask for it, by `session.start(…, session_host=True)`.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, cast

from livekit.agents.voice.remote_session import RoomSessionTransport, SessionHost

if TYPE_CHECKING:
    from livekit import rtc

    from antiphon.room import RoomIO
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.room")


class Hosted:
    """A session as LiveKit's host reads it, by these names and public ones."""

    def __init__(self, session: AgentSession[Any], room_io: RoomIO) -> None:
        self._session = session
        self._room_io = room_io
        self._started_at = time.time()

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)


class RoomHost:
    """Mutable state: LiveKit's host, while it runs."""

    def __init__(self, session: AgentSession[Any], room_io: RoomIO, room: rtc.Room) -> None:
        self._host = SessionHost(RoomSessionTransport(room))
        self._host.register_session(cast("Any", Hosted(session, room_io)))

    async def start(self) -> None:
        """Listen to what is asked from now on."""
        try:
            await self._host.start()
        except ValueError:
            logger.warning("the program reads lk.agent.session itself; session_host is of no use")

    async def aclose(self) -> None:
        """Tell what has happened to its end."""
        await self._host.aclose()
