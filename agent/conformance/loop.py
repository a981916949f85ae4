"""An event loop for servers and clients of one process: real sockets, and time that is counted.

As on the virtual clock nothing is waited for: where no socket has anything, no thread works and
nothing is ready, time jumps to the next timer. So a model that is silent for ten seconds costs
none, and how long a client took to close its connection is exact.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Real seconds for bytes on their way through loopback before a jump of at least so many: a long one
# ends the timeouts of clients. The kernel needs none, where it is not very busy.
PATIENCE: Final = ((2.0, 0.05), (0.25, 0.001), (0.0, 0.0))
STUCK: Final = 20.0  # real seconds without anything: no timer, no socket, or a thread that hangs


class LoopbackLoop(asyncio.SelectorEventLoop):
    """Its time is that of the timers; it starts at 0. A thread in an executor holds it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.threads = 0
        super().__init__(_Jumping(self))  # type: ignore[arg-type]  # as a selector it is enough

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        self.threads += 1
        done = super().run_in_executor(executor, func, *args)
        done.add_done_callback(self._thread_is_over)
        return done

    def _thread_is_over(self, _: object) -> None:
        self.threads -= 1


class _Jumping:
    def __init__(self, loop: LoopbackLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def select(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        events = self._real.select(0)
        if events or timeout == 0:
            return events
        if timeout is None or self._loop.threads:
            events = self._real.select(STUCK)
            if not events:
                raise TimeoutError(f"nothing came in {STUCK} s, and nothing is set to come")
            return events
        patience = next(real for least, real in PATIENCE if timeout >= least)
        events = self._real.select(patience)
        if not events:
            self._loop.now += timeout
        return events
