"""What waits for a realtime model's server: done in one task, one thing after the other.

A plugin may fail or hang in any of it: that is reported, and the next one is done.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import llm

from antiphon.hooks import outcome
from antiphon.pipeline.errors import NodeTimeout
from antiphon.pipeline.streams import Scope, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger("antiphon.realtime")

LIMIT: Final = 10.0  # seconds for anything that the server has to answer
MOMENT: Final = 0.5  # seconds for it, when the session is to be closed

Errand = tuple[str, "Callable[[], Awaitable[None]]", asyncio.Future[None]]


class Errands:
    """What stands in line by the end of the loop's step is done in the next one, without a pause,
    and `at_last` after it: a plugin may connect with what it knows then, for good.

    Mutable state: what is to be done, who waits for it, and what is being done.
    """

    def __init__(
        self,
        scope: Scope,
        failed: Callable[[Exception], None],
        at_last: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._scope = scope
        self._failed = failed
        self._at_last = at_last
        self._line: Stream[Errand] = Stream(10**6, name="realtime")
        self._awaited: list[asyncio.Future[None]] = []
        self._doing: asyncio.Task[Any] = scope.start("realtime beginning", self._begin())
        self._working: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Go on after the first step."""
        self._working = self._scope.start("realtime", self._work())

    def later(self, what: str, do: Callable[[], Awaitable[None]]) -> asyncio.Future[None]:
        """Do that when what stands before it is done; the future has no error."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._line.ended:
            done.set_result(None)
        else:
            self._awaited.append(done)
            self._line.put_nowait((what, do, done))
        return done

    def close(self) -> None:
        """Nothing more is begun, and nobody need wait."""
        self._line.close()
        if self._working is not None:
            self._working.cancel()
        self._settle(*self._awaited)

    async def ended(self) -> None:
        """Wait a moment for what has been begun: a plugin that is cancelled in it may leave an
        error that nobody reads."""
        await asyncio.wait([self._doing], timeout=MOMENT)
        self._doing.cancel()

    def abandon(self) -> None:
        """There is no session to tell anything."""
        self.close()
        self._doing.cancel()

    async def _begin(self) -> None:
        while self._line.waiting:
            what, do, done = self._line.take_nowait()
            try:
                self._judge(what, await outcome(do()))
            finally:
                self._settle(done)
        if self._at_last is not None:
            self._judge("beginning", await outcome(self._at_last()))

    async def _work(self) -> None:
        await self._done("beginning")
        async for what, do, done in self._line:
            self._doing = task = self._scope.start(what, _outcome(do))
            await self._done(what)
            if task.done() and not task.cancelled():
                self._judge(what, task.result())
            self._settle(done)

    async def _done(self, what: str) -> None:
        """Wait for it, but not for ever."""
        await asyncio.wait([self._doing], timeout=LIMIT)
        if not self._doing.done():
            self._doing.cancel()
            self._judge(what, NodeTimeout.after(f"realtime {what}", LIMIT))

    def _judge(self, what: str, error: Exception | None) -> None:
        if isinstance(error, llm.RealtimeError):  # it may have taken it all the same
            logger.warning("the realtime model did not confirm its %s: %s", what, error)
        elif error is not None:
            self._failed(error)

    def _settle(self, *done: asyncio.Future[None]) -> None:
        """Nobody need wait for those any more."""
        for each in done:
            if each in self._awaited:
                self._awaited.remove(each)
            if not each.done():
                each.set_result(None)


async def _outcome(do: Callable[[], Awaitable[None]]) -> Exception | None:
    """In a task: one that is cancelled before its first step has not begun it."""
    return await outcome(do())
