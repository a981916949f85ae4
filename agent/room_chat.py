"""Lines of chat in a room, from the participant that a session talks with."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc
from livekit.agents.types import TOPIC_CHAT
from livekit.agents.voice.room_io import TextInputEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from antiphon.pipeline.streams import Scope
    from antiphon.room_link import Link
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.room")

KNOWN_WITHIN: Final = 5.0  # seconds in which somebody who has written is seen in the room


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
        else:
            reader.close()  # else the program hears of it for as long as it runs

    async def _read(self, reader: rtc.TextStreamReader, identity: str) -> None:
        try:
            with closing(reader):
                text = await reader.read_all()
            participant = await self._writer(identity)
            if self._answer is not None and participant is not None:
                answered = self._answer(
                    self._session,
                    TextInputEvent(text=text, info=reader.info, participant=participant),
                )
                if answered is not None:
                    await answered
        except rtc.StreamError as error:
            logger.warning("a line of chat was not read to its end: %s", error)
        except Exception:
            logger.exception("a line of chat was not answered")

    async def _writer(self, identity: str) -> rtc.RemoteParticipant | None:
        """Whose line it is: what somebody writes may come before the word that they are there."""
        linking = self._scope.start("writer", self._link.linked())
        await asyncio.wait([linking], timeout=KNOWN_WITHIN)
        linking.cancel()
        participant = self._link.participant
        return participant if participant and participant.identity == identity else None
