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
            if not sleeper.done():
                sleeper.set_result(None)

    async def moved(self) -> None:
        """Wait until something has moved on."""
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(sleeper)
        await asyncio.wait([sleeper])
