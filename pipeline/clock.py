"""The virtual-time event loop: a conversation of minutes runs in a second, the same every time.

Time starts at 0.0 and stands still while anything is ready to run. Then it jumps to exactly the
next live timer, so that at a deadline `now < deadline` is never true. Timers of one instant fire in
the order they were set.

A job in `run_in_executor` (`asyncio.to_thread`) holds the clock until its thread is done. Of jobs
in flight together the oldest is delivered first, when all else at that instant has run; if it keeps
a finished younger one waiting for `patience` real seconds, the younger passes it. Any other thread
that is to call the loop needs a `loop.hold()`, taken before it starts.

What virtual time cannot wait for is refused by name instead of hanging: see `Deadlock`, `Livelock`,
`NotVirtual` (sockets, pipes, processes, a thread that waits for the loop while the loop waits for
it) and `RealSleep`. Not seen are a `sleep` imported by name, and other calls that block in C.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import dataclasses
import functools
import heapq
import itertools
import logging
import math
import sys
import threading
import warnings
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from antiphon.pipeline.refused import (
    NEEDS,
    Deadlock,
    Livelock,
    NotVirtual,
    RealSleep,
    no_thread_works,
    real_sleep_refused,
    refusal,
)
from antiphon.pipeline.strays import Strays, callback, function, leaving_nothing, line, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

__all__ = [
    "Deadlock",
    "Hold",
    "Livelock",
    "NotVirtual",
    "RealSleep",
    "Strays",
    "VirtualTimeLoop",
    "leaving_nothing",
    "run",
]

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

logger = logging.getLogger("antiphon.clock")

PATIENCE = 3.0
"""Real seconds a standing clock waits before it asks whether any thread is still working."""

LIVELOCK_PASSES = 200_000
"""Passes of the loop at one instant that are a livelock. The last hundred are looked at."""


def run(
    main: Coroutine[object, object, _T] | Callable[[], Coroutine[object, object, _T]],
    *,
    start: float = 0.0,
    strict: bool = False,
) -> _T:
    """Do what `asyncio.run` does, on a fresh virtual loop that starts at `start` seconds.

    With `strict`, raise `Strays` if the run leaves any behind.
    """
    with asyncio.Runner(loop_factory=functools.partial(VirtualTimeLoop, start)) as runner:
        coroutine = main() if callable(main) else main
        return runner.run(leaving_nothing(coroutine) if strict else coroutine)


class _Timer(asyncio.TimerHandle):
    """A timer that keeps its place among those of the same instant."""

    __slots__ = ("order",)
    order: int
    _when: float
    _scheduled: bool

    def __lt__(self, other: _Timer) -> bool:  # type: ignore[override]
        if self._when != other._when:
            return self._when < other._when
        return self.order < other.order


class Hold:
    """Keeps the clock where it is until released; what `loop.hold()` returns, also for `with`."""

    def __init__(self, outside: _Outside, name: str) -> None:
        self.name = name
        self._outside = outside

    def release(self) -> None:
        """Let time go on. From any thread, any number of times."""
        self._outside.holds.discard(self)
        self._outside.wake.set()

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


@dataclasses.dataclass(eq=False, slots=True)
class _Job:
    """A function at work in an executor, and the future that its result is for."""

    name: str
    work: concurrent.futures.Future[object]
    result: asyncio.Future[object]

    def deliver(self) -> None:
        if self.result.done():  # nobody waits any more
            return
        if self.work.cancelled():
            self.result.cancel()
        elif (error := self.work.exception()) is None:
            self.result.set_result(self.work.result())
        elif isinstance(error, StopIteration):  # which no future can hold
            self.result.set_exception(RuntimeError(f"{self.name} raised StopIteration"))
        else:
            self.result.set_exception(error)

    def refuse(self) -> None:
        message = (
            f"{self.name} waits in a thread for something that only the loop can bring, while the "
            "virtual clock waits for the thread. Make it a coroutine, or run this on the real loop"
        )
        if self.result.done():
            logger.warning("no longer waiting: %s", message)
        else:
            self.result.set_exception(NotVirtual(message))


class _Outside:
    """Threads that may still wake the loop; stands where asyncio expects a selector.

    `_run_once` calls `select` once a pass, so this is also where time moves.
    """

    def __init__(self, loop: VirtualTimeLoop, patience: float) -> None:
        self.wake = threading.Event()
        self.jobs: collections.deque[_Job] = collections.deque()  # in the order of submission
        self.holds: set[Hold] = set()
        self.patience = patience
        self._loop = loop
        self._passes = 0
        self._spinning: collections.Counter[str] = collections.Counter()

    def select(self, timeout: float | None) -> tuple[()]:
        """Move time, if nothing is ready or due (which asyncio says by a timeout of 0)."""
        self._passes += 1
        if self._passes > LIVELOCK_PASSES - 100:
            self._watch_spinning()
        if timeout == 0:
            return ()
        if self.jobs or self.holds:
            self._wait_for_threads()
        loop = self._loop
        if not loop._ready:  # asked last: a thread calls the loop first, then lets go of its hold
            self._passes = 0
            loop._jump()
        return ()

    def _wait_for_threads(self) -> None:
        waits = 0
        while self.jobs or self.holds:
            self.wake.clear()
            if self._loop._ready:
                return
            if self.jobs and self.jobs[0].work.done():
                self._deliver(self.jobs[0])
            elif not self.wake.wait(self.patience):
                waits += 1
                self._lose_patience(waits)

    def _deliver(self, job: _Job) -> None:
        self._passes = 0  # work was done: a long recording may well pass in one instant
        self.jobs.remove(job)
        job.deliver()

    def _lose_patience(self, waits: int) -> None:
        if overtaking := next((job for job in self.jobs if job.work.done()), None):
            self._deliver(overtaking)
        elif self.jobs and not self.holds and no_thread_works():
            self.jobs.popleft().refuse()
        elif waits.bit_count() == 1:
            names = [each.name for each in self.jobs] + [each.name for each in self.holds]
            held = waits * self.patience
            logger.warning("clock held for %s real seconds by %s", held, ", ".join(names))

    def _watch_spinning(self) -> None:
        due = self._loop._ready or self._loop._scheduled[:1]
        self._spinning.update(map(callback, due))
        if self._passes < LIVELOCK_PASSES:
            return
        seen, now = self._spinning.most_common(10), self._loop.time()
        self._passes = 0
        self._spinning.clear()
        raise Livelock(
            f"{LIVELOCK_PASSES} passes at {now} s, and always something ready:\n  "
            + "\n  ".join(f"{name} ({count} times in the last 100 passes)" for name, count in seen)
        )


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """An event loop whose time is counted, not measured; itself a `loop_factory`.

    `start`: the first `time()`, in seconds. `patience`: real seconds, see the module.
    """

    # CPython's names, the same from 3.11 to 3.14. No other part of BaseEventLoop's inside is used.
    _ready: collections.deque[asyncio.Handle]
    _scheduled: list[_Timer]
    _clock_resolution: float
    _selector: _Outside
    _check_closed: Callable[[], None]

    def __init__(self, start: float = 0.0, *, patience: float = PATIENCE) -> None:
        super().__init__()
        self._now = start
        # asyncio fires what is earlier than now + resolution: by one ulp, what is at or before now.
        self._clock_resolution = math.ulp(start)
        self._order = itertools.count()
        self._outside = self._selector = _Outside(self, patience)
        self._threads: concurrent.futures.ThreadPoolExecutor | None = None
        self._threads_ended = False

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._now

    def hold(self) -> Hold:
        """Stop the clock while a thread of one's own works for this loop; from any thread."""
        hold = Hold(self._outside, f"hold() at {line(sys._getframe(1))}")
        self._outside.holds.add(hold)
        return hold

    def run_forever(self) -> None:
        """Run until `stop()`; meanwhile `time.sleep` on this thread raises `RealSleep`."""
        with real_sleep_refused():
            super().run_forever()

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at exactly `when`, after those set earlier for that time."""
        self._check_closed()
        timer = _Timer(when, callback, args, self, context)
        timer.order = next(self._order)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def run_in_executor(
        self,
        executor: concurrent.futures.Executor | None,
        func: Callable[[*_Ts], _T],
        *args: *_Ts,
    ) -> asyncio.Future[_T]:
        """Run `func` in a thread; the clock stands until it is done, even if nobody waits."""
        self._check_closed()
        if executor is None:
            if self._threads_ended:
                raise RuntimeError("the default executor has been shut down")
            executor = self._threads = self._threads or concurrent.futures.ThreadPoolExecutor()
        work: concurrent.futures.Future[object] = executor.submit(func, *args)
        result = self.create_future()
        result.add_done_callback(lambda future: future.cancelled() and work.cancel())
        self._outside.jobs.append(_Job(function(func, args), work, result))
        work.add_done_callback(lambda _: self._outside.wake.set())
        return result

    def set_default_executor(  # type: ignore[override]
        self, executor: concurrent.futures.ThreadPoolExecutor
    ) -> None:
        """Use `executor` for jobs that name none."""
        self._threads = executor

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Cancel the jobs that have not begun, and give the others `patience` real seconds."""
        self._threads_ended = True
        if self._threads is None:
            return
        self._threads.shutdown(wait=False, cancel_futures=True)
        jobs = {job.work: job.name for job in self._outside.jobs if not job.work.done()}
        if working := concurrent.futures.wait(jobs, self._outside.patience).not_done:
            names = ", ".join(jobs[work] for work in working)
            warnings.warn(f"still working in a thread: {names}", RuntimeWarning, stacklevel=2)
        else:
            self._threads.shutdown(wait=True)

    def close(self) -> None:
        """Free the loop; threads that are still working are left to themselves."""
        super().close()
        if self._threads is not None:
            self._threads.shutdown(wait=False)

    def add_signal_handler(self, sig: int, callback: object, *args: object) -> None:
        """Accept, and never call: signals come from outside virtual time."""

    def remove_signal_handler(self, sig: int) -> bool:
        """Say that there was none."""
        return False

    def _jump(self) -> None:
        # To the timer's own time: `now + (when - now)` can round to something else.
        when = self._scheduled[0]._when if self._scheduled else math.inf
        if not when < math.inf:
            raise Deadlock(
                f"at {self._now} s nothing is ready and no timer is set, so nothing can wake these "
                "(a thread could, under run_in_executor() or hold()):\n  "
                + "\n  ".join(waiting(asyncio.all_tasks(self)) or ["(no task at all)"])
            )
        self._now = when
        self._clock_resolution = math.ulp(when)

    def _write_to_self(self) -> None:
        self._outside.wake.set()

    def _process_events(self, event_list: tuple[()]) -> None:
        pass


for _need, _names in NEEDS.items():
    for _name in _names.split():
        setattr(VirtualTimeLoop, _name, refusal(_name, _need))
