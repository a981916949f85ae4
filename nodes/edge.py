"""The many shapes a node may return, made one.

LiveKit lets a node be an async generator, a coroutine that returns an async iterable, a coroutine
that returns one item, or None. `opened` turns each into one async iterator, which whoever reads it
closes with `closed` in the same task; `items` does both.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeVar, cast

from livekit import rtc

from antiphon.pipeline.foreign import finish

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

T = TypeVar("T")


async def opened(
    call: Callable[[], object], *, single: type | tuple[type, ...] = ()
) -> AsyncIterator[T]:
    """Call a node; what it gives. `single` types are one item, None is no item."""
    result = call()
    if isawaitable(result):
        result = await result
    if isinstance(result, AsyncIterable):
        return cast("AsyncIterator[T]", aiter(result))
    if result is None or (single and isinstance(result, single)):
        return _these(() if result is None else (cast("T", result),))
    raise TypeError(f"a node must give an async iterable, not {type(result).__name__}")


def frame(item: object) -> rtc.AudioFrame:
    """An item of a node that makes sound, which must be an audio frame."""
    if isinstance(item, rtc.AudioFrame):
        return item
    kind = type(item).__name__
    raise TypeError(f"tts_node, or the audio of say, gave {kind}: it must give rtc.AudioFrame")


async def closed(source: AsyncIterator[object]) -> None:
    """Close what `opened` gave, where that can be closed."""
    await finish(source)


async def items(
    call: Callable[[], object], *, single: type | tuple[type, ...] = ()
) -> AsyncGenerator[T, None]:
    """Call a node, give its items, and close it."""
    source: AsyncIterator[T] = await opened(call, single=single)
    try:
        async for item in source:
            yield item
    finally:
        await closed(source)


async def _these(found: tuple[T, ...]) -> AsyncGenerator[T, None]:
    for item in found:
        yield item
