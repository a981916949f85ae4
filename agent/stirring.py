"""Waiting for anything to move on: a speech, a turn, an agent."""

from __future__ import annotations

import asyncio


class Stirring:
    """Mutable state: who waits."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def stir(self) -> None:
        """Something has moved on: wake who waits for that."""
        waiting, self._waiting = self._waiting, []
        for sleeper in waiting:
            _wake(sleeper)

    async def moved(self, by: float | None = None) -> None:
        """Wait until something has moved on, or until loop time `by`."""
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self._waiting.append(sleeper)
        timer = None if by is None else loop.call_at(by, _wake, sleeper)
        try:
            await asyncio.wait([sleeper])
        finally:
            if timer is not None:
                timer.cancel()


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
