"""One reply of the agent: a task, and in it one step after the other.

    run ─┬ step: think, speak, leave the floor, wait for the tools
         └ step: … with what the tools gave, and with a new place in line; until no tool was called

There is one engine for everything that is ever said; a `Source` says where text and sound come
from (see `step.py` for what is inside a step). No stage knows about interruption. `cut` never
awaits; in this order the output drops what it holds, the ledger fixes what was heard, history gets
it, the floor is given back, the task is cancelled, and whoever waits for the reply is told.
Providers unwind after that, where they can change nothing.

A draft is a reply whose permit is not there yet: it prepares, and waits until `confirm` gives it a
place in line.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING

from antiphon.pipeline.left_behind import STRAYS
from antiphon.pipeline.observations import Audible
from antiphon.pipeline.step import Step

if TYPE_CHECKING:
    from antiphon.pipeline.floor import Ticket
    from antiphon.pipeline.observations import Kind
    from antiphon.pipeline.source import Source, Stage
    from antiphon.pipeline.streams import Scope

SPEAKING: ContextVar[Reply | None] = ContextVar("antiphon.reply", default=None)
"""The reply in whose tasks this code runs: waiting for that one would be waiting for oneself."""


class Phase(Enum):
    """Where a reply is in its life."""

    RUNNING = "a step of it thinks or speaks"
    RESTING = "it has left the floor, and its tools run"
    OVER = "it has ended"
    CUT = "it was ended"


class Reply:
    """See the module's text. Mutable state: the ticket, the step, the phase, what went wrong."""

    def __init__(
        self, number: int, kind: Kind, source: Source, stage: Stage, *, turn: int | None = None
    ) -> None:
        self.number = number
        self.kind = kind
        self.turn = turn  # the user's turn that it answers
        self.steps = 1
        self.phase = Phase.RUNNING
        self._stage = stage
        self._ticket: Ticket | None = None
        self._permit: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self.step = Step(self, source, stage)

    @property
    def gen(self) -> int | None:
        """Names its place in line; None while it is a draft, and when it has left."""
        return self._ticket.gen if self._ticket else None

    @property
    def error(self) -> Exception | None:
        """What went wrong in its last step."""
        return self.step.error

    @property
    def interrupted(self) -> bool:
        return self.phase is Phase.CUT

    @property
    def done(self) -> bool:
        return self.phase in (Phase.OVER, Phase.CUT)

    @property
    def resting(self) -> bool:
        return self.phase is Phase.RESTING

    @property
    def confirmed(self) -> bool:
        """It has, or had, a place in line."""
        return self._permit.done()

    def start(self, scope: Scope) -> None:
        """Begin to prepare; nothing is heard before `confirm`."""
        self._task = scope.start(f"reply {self.number}", self._run())
        self._task.add_done_callback(self._finished)

    def confirm(self, kind: Kind | None = None) -> None:
        """Stand in line. The line may move at once, and that may cut this very reply."""
        self.kind = kind or self.kind
        self._ticket = ticket = self._stage.line.take(self.kind)
        self._permit.set_result(ticket)
        self._stage.line.advance()
        if not self.interrupted:
            self.step.calls.advance()

    def pause(self) -> None:
        if self.step.playout is not None:
            self.step.playout.pause()

    def resume(self) -> None:
        if self.step.playout is not None:
            self.step.playout.resume()

    def cut(self) -> None:
        """End it now; never waits, and may be called again."""
        if not self.done:
            self._end(Phase.CUT)

    # The task.

    async def _run(self) -> None:
        SPEAKING.set(self)
        STRAYS.set(self._stage.strays)
        try:
            while (following := await self.step.run()) is not None:
                self._go_on(following)
        except Exception as error:
            self.step.error = error
        self._leave()

    def _go_on(self, source: Source) -> None:
        """The tools have given what the next step needs; it takes a new place in line."""
        self.steps += 1
        self.step = Step(self, source, self._stage)
        self.step.mark("tools_ended")
        self._ticket = ticket = self._stage.line.take(self.kind)
        self._permit = asyncio.get_running_loop().create_future()
        self._permit.set_result(ticket)
        self._stage.line.advance()
        self._become(Phase.RUNNING)

    # What its step asks of it.

    async def permitted(self) -> None:
        """Wait until it is no draft any more."""
        if not self._permit.done():
            await asyncio.wait([self._permit])

    async def turn_comes(self) -> None:
        """Wait until it has the floor."""
        await self.permitted()
        turn = self._permit.result().turn
        if not turn.done():
            await asyncio.wait([turn])

    def sounded(self) -> None:
        """Its first sound is handed out."""
        if self._ticket is not None:
            self._stage.observe(Audible(self._ticket.gen))

    def rest(self) -> None:
        """Give the floor back while the tools run."""
        self._become(Phase.RESTING)
        self._leave()
        if self.error is not None:
            self._stage.failed(self)

    def _become(self, phase: Phase) -> None:
        if self.phase is not phase:
            self.phase = phase
            self._stage.resting()

    def _leave(self) -> None:
        """Give the floor back, history first. Does nothing for who does not own a place."""
        ticket, self._ticket = self._ticket, None
        if ticket is None:
            return

        if ticket is self._stage.line.holder:
            if self.step.playout is not None:
                self.step.playout.cut()
            self._stage.remember(self, self.step)
        self._stage.line.leave(ticket)

    def _finished(self, task: asyncio.Task[None]) -> None:
        if not self.done:
            self._end(Phase.CUT if task.cancelled() else Phase.OVER)  # or its session's scope did

    def _end(self, phase: Phase) -> None:
        """For good: the floor first, then whatever runs for it."""
        rested, self.phase = self.resting, phase
        self._leave()
        if self.error is not None and self.confirmed and not rested:
            self._stage.failed(self)
        if self._task is not None:
            self._task.cancel()
        self.step.over()
        self.step.calls.abandon(confirmed=self.confirmed)
        if rested:
            self._stage.resting()
        self._stage.ended(self)
