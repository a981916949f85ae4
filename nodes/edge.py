"""The many shapes a node may return, made one.

LiveKit lets a node be an async generator, a coroutine that returns an async iterable, a coroutine
that returns one item, or None. `items` turns each into one async generator that also closes what
it reads, in the same task.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def items(
    call: Callable[[], object], *, single: type | tuple[type, ...] = ()
) -> AsyncGenerator[T, None]:
    """Call a node and give its items; `single` types are one item, None is no item."""
    result = call()
    if isawaitable(result):
        result = await result
    if result is None:
        return
    if single and isinstance(result, single):
        yield cast("T", result)
        return
    if not isinstance(result, AsyncIterable):
        raise TypeError(f"a node must give an async iterable, not {type(result).__name__}")
    source = cast("AsyncIterable[T]", result)
    try:
        async for item in source:
            yield item
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()
