"""Which participant of a room a session talks with: one is linked, leaves, and may come back."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from livekit.agents.job import DEFAULT_PARTICIPANT_KINDS
from livekit.agents.types import ATTRIBUTE_PUBLISH_ON_BEHALF

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit import rtc

logger = logging.getLogger("antiphon.room")


class Link:
    """The first participant of an accepted kind, or the one with `identity`; from then on that one,
    whenever it is there. `moved(identity)` is called with who is to be heard from now on, `changed`
    when that one has come or gone.

    Mutable state: who is wanted, and who is linked.
    """

    def __init__(
        self,
        room: rtc.Room,
        identity: str | None,
        kinds: list[rtc.ParticipantKind.ValueType] | None,
        *,
        moved: Callable[[str | None], None],
        changed: Callable[[], None],
    ) -> None:
        self.identity = identity
        self.participant: rtc.RemoteParticipant | None = None
        self._room = room
        self._kinds = kinds or DEFAULT_PARTICIPANT_KINDS
        self._anyone = identity is None
        self._moved = moved
        self._changed = changed
        self._waiting: list[asyncio.Future[None]] = []
        room.on("participant_connected", self._came)

    def close(self) -> None:
        self._room.off("participant_connected", self._came)

    def look(self) -> None:
        """Link who is in the room already."""
        for participant in list(self._room.remote_participants.values()):
            self._came(participant)

    def set(self, identity: str | None) -> None:
        """Talk with that one from now on; with nobody, when it is None."""
        self._anyone = False
        if identity != self.identity:
            self.identity, self.participant = identity, None
            self._moved(identity)
            self._changed()
        self.look()

    def gone(self, participant: rtc.RemoteParticipant) -> bool:
        """Was it the linked one? It is not any more."""
        if self.participant is None or participant.identity != self.identity:
            return False
        self.participant = None
        self._changed()
        return True

    async def linked(self) -> None:
        """Wait until somebody is."""
        while self.participant is None:
            self._waiting.append(asyncio.get_running_loop().create_future())
            await asyncio.wait(self._waiting[-1:])

    def _came(self, participant: rtc.RemoteParticipant) -> None:
        if self.participant is not None or not self._suits(participant):
            return
        moved = participant.identity != self.identity
        self.identity, self.participant, self._anyone = participant.identity, participant, False
        logger.info("in room %s, talking with %s", self._room.name, participant.identity)
        if moved:
            self._moved(self.identity)
        self._changed()
        waiting, self._waiting = self._waiting, []
        for sleeper in waiting:
            sleeper.set_result(None)

    def _suits(self, participant: rtc.RemoteParticipant) -> bool:
        if participant.kind not in self._kinds:
            return False
        if self._anyone:  # but for an avatar, which speaks for this agent
            whose = participant.attributes.get(ATTRIBUTE_PUBLISH_ON_BEHALF)
            return whose != self._room.local_participant.identity
        return participant.identity == self.identity
