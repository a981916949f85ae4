"""The many shapes a node may return, made one.

LiveKit lets a node be an async generator, a coroutine that returns an async iterable, a coroutine
that returns one item, or None. `opened` turns each into one async iterator, which whoever reads it
closes with `closed` in the same task; `items` does both.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable
from contextlib import aclosing
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeVar, cast

from livekit import rtc

from antiphon.pipeline.foreign import finish

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

T = TypeVar("T")

_HALF = re.compile("[\ud800-\udfff]")


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


class Characters:
    """Text in pieces, as whole characters: half of one (a lone surrogate, as it comes of JSON that
    is cut in two) waits for the other, and is U+FFFD without it, because no file, request or voice
    takes a half.

    Mutable state: the half that waits.
    """

    def __init__(self) -> None:
        self._half = ""

    def push(self, text: str) -> str:
        """What is whole with this piece."""
        if not self._half and (text.isascii() or not _HALF.search(text)):
            return text
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return whole(text)


def whole(text: str) -> str:
    """`text` with its halves of characters joined, or U+FFFD in their place."""
    if text.isascii() or not _HALF.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


async def texts(call: Callable[[], object], whose: str) -> AsyncGenerator[str, None]:
    """Call what gives text, in pieces of whole characters; TypeError for what is none."""
    characters = Characters()
    given: AsyncGenerator[object, None] = items(call, single=str)
    async with aclosing(given):
        async for item in given:
            if not isinstance(item, str):
                raise TypeError(f"{whose} gave {type(item).__name__}: it must give str")
            yield characters.push(item)


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
