"""The floor: at most one reply has it, the others stand in line.

It is a queue of tickets and not a lock: a place is taken when a speech is asked for, or when the
turn it was drafted for is committed, and it can be left from anywhere in the line at any time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from antiphon.pipeline.observations import Gone, Granted, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.pipeline.observations import Observation


@dataclass(slots=True, eq=False)
class Ticket:
    """A place in line. `turn` is set when the floor is given; `gen` names it ever after."""

    gen: int
    kind: Kind
    turn: asyncio.Future[None] = field(repr=False)


class Line:
    """Who has the floor, and who comes next.

    `gap`: seconds of silence between one speech and the next. Mutable state: the holder, the line,
    when the next may begin, and whether it is held back.
    """

    def __init__(self, observe: Callable[[Observation], None], gap: float = 0.0) -> None:
        self.holder: Ticket | None = None
        self.gap = gap
        self._pause: asyncio.TimerHandle | None = None
        self._observe = observe
        self._line: deque[Ticket] = deque()
        self._gens = 0
        self._held = False

    def hold(self, on: bool) -> None:
        """Give the floor to nobody for the moment; the line grows."""
        self._held = on
        self.advance()

    def take(self, kind: Kind) -> Ticket:
        """Take the last place in line; nothing is granted before `advance`."""
        self._gens += 1
        ticket = Ticket(self._gens, kind, asyncio.get_running_loop().create_future())
        self._line.append(ticket)
        return ticket

    def advance(self) -> None:
        """Give the floor to the first in line, if it is free."""
        if self.holder is None and self._line and self._pause is None and not self._held:
            self.holder = ticket = self._line.popleft()
            if not ticket.turn.done():
                ticket.turn.set_result(None)
            self._observe(Granted(ticket.gen, ticket.kind))

    def leave(self, ticket: Ticket) -> None:
        """Give up a place, or the floor; the next in line then has it."""
        if ticket is self.holder:
            self.holder = None
            self._observe(Gone(ticket.gen))
            if self.gap > 0.0:
                self.close()
                self._pause = asyncio.get_running_loop().call_later(self.gap, self._go_on)
            self.advance()
        elif ticket in self._line:
            self._line.remove(ticket)

    def rename(self, gen: int, kind: Kind) -> None:
        """A speech in line changed its kind; the holder's is the turn machine's matter."""
        for ticket in self._line:
            if ticket.gen == gen:
                ticket.kind = kind

    def close(self) -> None:
        """No gap is waited for any more."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _go_on(self) -> None:
        self._pause = None
        self.advance()

    def __len__(self) -> int:
        return len(self._line)
