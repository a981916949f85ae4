"""When nobody speaks and nothing is about to be said: who waits for that, and who holds it.

Idle is: the user is silent and no turn of theirs waits for its end or its hook, and no speech
stands in line. Tools that run in the background leave a session idle. Whoever holds the floor
(`RunContext.foreground`) keeps all others waiting, but for the agents that sit over the holder's,
because the holder may be waiting for those.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from antiphon.pipeline.errors import SessionClosed, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """Somebody keeps the floor, in code of that agent's (None: of the application's)."""

    agent: Agent | None


HOLDS: ContextVar[tuple[Hold, ...]] = ContextVar("antiphon.holds", default=())
"""The holds inside which this code runs: they do not keep it waiting."""

TURNING: ContextVar[bool] = ContextVar("antiphon.turning", default=False)
"""This code runs in a hook for which the next turn or agent waits: no idle comes before its end."""


class Idle:
    """Mutable state: since when nobody speaks, who holds the floor, and whether it is all over."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._loop = asyncio.get_running_loop()
        self._since: float | None = self._loop.time()
        self._holds: list[Hold] = []
        self.closed = False

    def note(self) -> None:
        """Something has moved on."""
        if not self._silent:
            self._since = None
        elif self._since is None:
            self._since = self._loop.time()

    def disturb(self) -> None:
        """Somebody is about to speak: whoever waits for a while of quiet waits for all of it."""
        if self._since is not None:
            self._since = self._loop.time()

    async def wait(self, agent: Agent | None = None, quiet: float = 0.0) -> None:
        """Wait until it has been idle for `quiet` seconds, and `agent`, while it has a seat, is in
        charge. SessionClosed when that never comes."""
        if TURNING.get():
            raise UsageError(
                "inside on_exit or on_user_turn_completed the session is not idle, and would not "
                "become so: wait in a tool, in on_enter or in a task of your own"
            )
        while True:
            if self.closed:
                raise SessionClosed("the session closed before it was idle")
            now, due = self._loop.time(), None
            if self._free(agent):
                due = (now if self._since is None else self._since) + quiet
                if now >= due:
                    return
            await self._conversation.moved(due)

    @asynccontextmanager
    async def hold(self, agent: Agent | None) -> AsyncGenerator[Agent, None]:
        """Wait until it is idle, and keep others who wait for that waiting."""
        await self.wait(agent)
        hold = Hold(agent)
        self._holds.append(hold)
        token = HOLDS.set((*HOLDS.get(), hold))
        try:
            yield self._conversation.agent
        finally:
            HOLDS.reset(token)
            self._holds.remove(hold)
            self._conversation.stir()

    def close(self) -> None:
        """Whoever waits, waits no longer."""
        self.closed = True
        self._conversation.stir()

    @property
    def _silent(self) -> bool:
        talk = self._conversation
        speech = talk.line.holder is not None or len(talk.line) > 0
        return not (speech or talk.machine.unfinished or talk.answers.turning)

    def _free(self, agent: Agent | None) -> bool:
        """Idle for code of that agent's; one that leaves may finish what it has begun."""
        talk = self._conversation
        if not self._silent or any(self._keeps_out(hold, agent) for hold in self._holds):
            return False
        if agent is None or not talk.seats.sits(agent):
            return not talk.answers.busy
        return talk.agent is agent

    def _keeps_out(self, hold: Hold, agent: Agent | None) -> bool:
        if any(hold is mine for mine in HOLDS.get()):
            return False
        return not self._conversation.seats.over(agent, hold.agent)
