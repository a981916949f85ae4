"""The end of an iterator that somebody else made."""

from __future__ import annotations

from inspect import isawaitable


async def finish(iterator: object) -> None:
    """Close it where it can be closed: a generator, or an object with an `aclose` of its own, like
    a model's stream. Called by the task that advances it."""
    close = getattr(iterator, "aclose", None)
    if close is not None and isawaitable(closing := close()):
        await closing
