"""The end of iterators that cross to other people's code: theirs that we read, and ours lent."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    Lent = tuple[asyncio.Task[object] | None, list[AsyncGenerator[object, None]]]

T = TypeVar("T")


async def finish(iterator: object) -> None:
    """Close it where it can be closed: a generator, or an object with an `aclose` of its own, like
    a model's stream. Called by the task that advances it."""
    close = getattr(iterator, "aclose", None)
    if close is not None and isawaitable(closing := close()):
        await closing


_LENT: ContextVar[Lent | None] = ContextVar("antiphon.lent", default=None)


def lend_here() -> None:
    """From now on this task closes what it lends, by `finish_lent`."""
    _LENT.set((asyncio.current_task(), []))


def lend(generator: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Hand a generator to code that may leave it open.

    The documented way to override a node, `async for x in Agent.default.tts_node(…): yield x`,
    does so when it is closed in the middle. Code that gives it to a task of its own closes it.
    """
    task, lent = _LENT.get() or (None, [])
    if task is asyncio.current_task():
        lent.append(generator)
    return generator


async def finish_lent() -> None:
    """Close what this task has lent, the latest first."""
    task, lent = _LENT.get() or (None, [])
    while task is asyncio.current_task() and lent:
        if not getattr(generator := lent.pop(), "ag_running", False):
            await generator.aclose()
