"""Scopes that own tasks, and the bounded streams between them.

Every task of a session is started by `Scope.start`; nothing else in this package creates one.
Leaving a scope closes its streams, cancels its tasks, waits `GRACE` seconds, cancels once more
(which breaks a `finally` that sleeps), waits `LAST_GRACE` seconds and hands whatever still runs
to `Strays`, by name. `asyncio.TaskGroup` is not used: it waits for ever for a child that swallows
its cancellation, and before Python 3.13 it can lose its parent's.

A stage is one leaf task that advances *and* closes one foreign iterator and puts what it gives
into a `Stream`. A stage's error is not raised in the scope: it ends that stage's stream and so
reaches the reader in order, after the items before it. A reader that wants a time limit asks the
stream for it, never the foreign `__anext__`, which a time limit would kill.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from antiphon.pipeline.errors import NodeError, telling
from antiphon.pipeline.foreign import finish, finish_lent, lend_here
from antiphon.pipeline.left_behind import STRAYS, Strays

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Coroutine
    from types import TracebackType

logger = logging.getLogger("antiphon.streams")

GRACE = 0.2
LAST_GRACE = 0.05

T = TypeVar("T")


class StreamClosed(Exception):
    """The reader of a stream has gone; the writer may stop."""


class Silent(Exception):
    """No item came in time. No TimeoutError: that may be an error of whoever writes."""


class Stream(Generic[T]):
    """A bounded queue with one writer and one reader, which ends with or without an error.

    `ahead` bounds the sum of `measure(item)` (1 each when not given) that may wait unread; a
    writer is held once the sum has passed it, so at most one item lies beyond the bound.

    Mutable state: the items and their sum, how the stream ended, and the two sleepers.
    """

    __slots__ = (
        *("_ahead", "_at_end", "_closed", "_ended", "_error", "_items", "_measure", "_reader"),
        *("_sink", "_size", "_writer", "name"),
    )

    def __init__(
        self, ahead: int, measure: Callable[[T], int] | None = None, name: str = ""
    ) -> None:
        self.name = name
        self._ahead = ahead
        self._measure = measure
        self._items: deque[T] = deque()
        self._size = 0
        self._ended = False
        self._closed = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._sink: Callable[[T], None] | None = None  # instead of a reader
        self._at_end: Callable[[], None] | None = None

    def forward(self, sink: Callable[[T], None], at_end: Callable[[], None]) -> None:
        """Hand what waits, then each item at once, to `sink`, and call `at_end` when no item
        follows; neither may raise. No task needs to read then."""
        while self._items:
            sink(self.take_nowait())
        if self._ended:
            at_end()
        self._sink, self._at_end = sink, at_end

    def put_nowait(self, item: T) -> None:
        """Add an item without regard to the bound; raises StreamClosed when nobody reads."""
        if self._closed or self._ended:
            raise StreamClosed(self.name)

        if self._sink is not None:
            self._sink(item)
            return
        self._items.append(item)
        self._size += self._measure(item) if self._measure else 1
        _wake(self._reader)

    async def put(self, item: T) -> None:
        """Add an item, then wait until what waits unread is within the bound."""
        self.put_nowait(item)
        while self._size > self._ahead and not self._closed:
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None
        if self._closed:
            raise StreamClosed(self.name)

    def end(self, error: Exception | None = None) -> None:
        """Say that no item follows; `error` is raised to the reader after the last one."""
        if not self._ended:
            self._ended = True
            self._error = error
            _wake(self._reader)
            if self._at_end is not None:
                self._at_end()

    def close(self) -> None:
        """Say that nobody reads any more: what waits is dropped, the writer is let go."""
        self._closed = True
        self.end()
        self._items.clear()
        self._size = 0
        self._error = None
        _wake(self._writer)

    @property
    def size(self) -> int:
        """The measured sum of what waits unread."""
        return self._size

    @property
    def waiting(self) -> bool:
        """An item can be taken at once."""
        return bool(self._items)

    @property
    def ended(self) -> bool:
        """Nothing more will be put (what waits may still be read)."""
        return self._ended

    @property
    def spent(self) -> bool:
        """It has ended well, and nothing waits."""
        return self._ended and not self._items and self._error is None

    @property
    def failed(self) -> bool:
        """It has ended with an error, which its reader has not come to yet."""
        return self._error is not None

    def take_nowait(self) -> T:
        """The next waiting item; raises IndexError when there is none."""
        item = self._items.popleft()
        self._size -= self._measure(item) if self._measure else 1
        if self._size <= self._ahead:
            _wake(self._writer)
        return item

    async def next(self, timeout: float | None = None) -> T:
        """The next item; StopAsyncIteration at the end, Silent after `timeout` seconds."""
        if self._items:
            return self.take_nowait()

        deadline: asyncio.TimerHandle | None = None
        expired: list[bool] = []
        try:
            while not self._items:
                if self._ended:
                    error, self._error = self._error, None
                    raise error or StopAsyncIteration
                if expired:
                    raise Silent
                if self._reader is not None:
                    raise RuntimeError(f"stream {self.name!r} has a reader already")
                loop = asyncio.get_running_loop()
                self._reader = loop.create_future()
                if timeout is not None and deadline is None:
                    deadline = loop.call_later(timeout, self._expire, expired)
                try:
                    await self._reader
                finally:
                    self._reader = None
        finally:
            if deadline is not None:
                deadline.cancel()
        return self.take_nowait()

    def _expire(self, expired: list[bool]) -> None:
        expired.append(True)
        _wake(self._reader)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        return await self.next()


class Scope:
    """The owner of some tasks and streams, which end with it.

    Mutable state: the tasks that run, the streams, and whether the scope is closing.
    """

    def __init__(self, name: str, strays: Strays | None = None, grace: float = GRACE) -> None:
        self.name = name
        self._strays = strays or STRAYS.get() or Strays()
        self._grace = grace
        self._tasks: set[asyncio.Task[object]] = set()
        self._streams: list[Stream[object]] = []
        self._closing = False

    @property
    def closing(self) -> bool:
        """No task can start in it any more."""
        return self._closing

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def start(self, name: str, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """Run `work` as a task of this scope; its error is logged unless somebody reads it."""
        if self._closing:
            work.close()
            raise RuntimeError(f"{self.name} is closing; {name} cannot start")

        task = asyncio.get_running_loop().create_task(work, name=f"{self.name}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._gone)
        return task

    def pipe(
        self,
        name: str,
        source: AsyncIterable[T],
        ahead: int,
        measure: Callable[[T], int] | None = None,
    ) -> Stream[T]:
        """Run `source` in a leaf task and return the stream of what it gives."""
        stream: Stream[T] = Stream(ahead, measure, f"{self.name}/{name}")
        self._streams.append(stream)  # type: ignore[arg-type]  # only ever closed from here
        self.start(name, pump(source, stream))
        return stream

    async def close(self) -> None:
        """End everything, within the graces; a cancellation meanwhile is raised afterwards."""
        self._closing = True
        for stream in self._streams:
            stream.close()
        pending = {task for task in self._tasks if task is not asyncio.current_task()}
        cancelled: asyncio.CancelledError | None = None
        loop = asyncio.get_running_loop()
        for grace in (self._grace, LAST_GRACE):
            for task in pending:
                task.cancel()
            ends = loop.time() + grace
            while pending and (left := ends - loop.time()) > 0:
                try:
                    await asyncio.wait(pending, timeout=left)
                except asyncio.CancelledError as error:  # shortens no grace
                    cancelled = error
                pending = {task for task in pending if not task.done()}
        self._tasks -= pending
        self._strays.add(pending)
        if cancelled is not None:
            raise cancelled

    def _gone(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        leaves = isinstance(error, KeyboardInterrupt | SystemExit)  # the loop itself
        if error is not None and not leaves and not self._closing:
            logger.error("%s failed", task.get_name(), exc_info=error)


async def pump(source: AsyncIterable[T], stream: Stream[T]) -> None:
    """Advance and close a foreign iterator, in the calling task, into `stream`."""
    task = asyncio.current_task()
    assert task is not None
    entry = task.cancelling()
    lend_here()
    try:
        iterator = aiter(source)  # what is advanced is what must be closed, and it may be another
        try:
            async for item in iterator:
                if task.cancelling() > entry:
                    raise asyncio.CancelledError
                await stream.put(item)
        finally:
            await finish(iterator)
            await finish_lent()
    except asyncio.CancelledError as error:
        if task.cancelling() > entry:
            raise
        stream.end(telling(error, stream.name))
    except (KeyboardInterrupt, SystemExit):  # they leave the loop itself
        raise
    except BaseException as error:
        if task.cancelling() > entry:  # an error while unwinding must not replace the cancellation
            logger.debug("%s raised while it was being stopped: %r", stream.name, error)
            raise asyncio.CancelledError from error
        if not isinstance(error, StreamClosed):
            stream.end(telling(error, stream.name))
    else:
        stream.end()
    finally:
        stream.end(NodeError(f"{stream.name} was stopped"))  # whatever happened, the reader wakes


def _wake(sleeper: asyncio.Future[None] | None) -> None:
    if sleeper is not None and not sleeper.done():
        sleeper.set_result(None)
