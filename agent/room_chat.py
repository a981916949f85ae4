"""Lines of chat in a room, from the participant that a session talks with."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from livekit.agents.types import TOPIC_CHAT
from livekit.agents.voice.room_io import TextInputEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit import rtc

    from antiphon.pipeline.streams import Scope
    from antiphon.room_link import Link
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.room")


class RoomChat:
    """Mutable state: who answers the lines; nobody reads them before there is one."""

    def __init__(
        self, session: AgentSession[Any], room: rtc.Room, scope: Scope, link: Link
    ) -> None:
        self._session = session
        self._room = room
        self._scope = scope
        self._link = link
        self._answer: Callable[..., Awaitable[None] | None] | None = None

    def answer_by(self, answer: Callable[..., Awaitable[None] | None]) -> None:
        """Call that for every line from now on."""
        if self._answer is None:
            try:
                self._room.register_text_stream_handler(TOPIC_CHAT, self._came)
            except ValueError:
                logger.warning("the program reads %s itself; it is not answered here", TOPIC_CHAT)
                return
        self._answer = answer

    def close(self) -> None:
        if self._answer is not None:
            self._room.unregister_text_stream_handler(TOPIC_CHAT)

    def _came(self, reader: rtc.TextStreamReader, identity: str) -> None:
        if self._link.identity in (None, identity) and not self._scope.closing:
            self._scope.start("chat", self._read(reader, identity))

    async def _read(self, reader: rtc.TextStreamReader, identity: str) -> None:
        try:
            text = await reader.read_all()
            participant = self._room.remote_participants.get(identity)
            if self._answer is not None and participant is not None:
                answered = self._answer(
                    self._session,
                    TextInputEvent(text=text, info=reader.info, participant=participant),
                )
                if answered is not None:
                    await answered
        except Exception:
            logger.exception("a line of chat was not answered")
