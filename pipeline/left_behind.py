"""Tasks that would not stop."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger("antiphon.streams")


class Strays:
    """Tasks that would not stop when they were cancelled, twice. They own nothing any more.

    They are taken off asyncio's list, because `asyncio.run` would wait for them for ever:
    `_unregister_task` is what asyncio documents for task implementations of other people.

    Mutable state: those that still run.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def add(self, tasks: Iterable[asyncio.Task[object]]) -> None:
        for task in tasks:
            logger.warning("%s would not stop when it was cancelled; left behind", task.get_name())
            self._tasks.add(task)
            task.add_done_callback(self._gone)
            asyncio._unregister_task(task)
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # reported by name

    @property
    def names(self) -> list[str]:
        """The names of those that still run, sorted."""
        return sorted(task.get_name() for task in self._tasks)

    def _gone(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.debug("%s ended late with %r", task.get_name(), error)


STRAYS: ContextVar[Strays | None] = ContextVar("antiphon.strays", default=None)
"""Where scopes opened by a node leave what will not stop: with the session they run in."""
