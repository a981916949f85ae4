"""A session and the room it may be in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from antiphon.amd import AMD
    from antiphon.ivr import Menu
    from antiphon.lifecycle import Run
    from antiphon.room import RoomIO


class Session(Protocol):
    """What being in a room needs of it, and seeing."""

    _run: Run | None


class RoomOfSession:
    """What a session says of its room, and of the call in it.

    Mutable state: `amd`, who listens for an answering machine now, and `menu`, who steers through a
    machine's.
    """

    amd: AMD | None = None
    menu: Menu | None = None

    hosted = False  # somebody in the room may follow and steer it

    @property
    def room_io(self: Session) -> RoomIO:
        """What connects the session with its room; UsageError where it has none."""
        if self._run is None or self._run.room_io is None:
            raise UsageError("this session is in no room: await session.start(agent, room=…)")
        return self._run.room_io

    @property
    def alone(self: Session) -> bool:
        """It is in a room, and nobody is there to talk with."""
        room_io = self._run.room_io if self._run else None
        return room_io is not None and room_io.linked_participant is None

    def accompanied(self: Session) -> None:
        """Somebody to talk with has come to the room, or gone."""
        if self._run is not None:
            self._run.conversation.states.watch()
