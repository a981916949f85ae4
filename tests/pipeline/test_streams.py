"""Bounded streams, and stages that close what they advanced."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from antiphon.pipeline.errors import NodeError
from antiphon.pipeline.streams import GRACE, LAST_GRACE, Scope, Silent, Stream, StreamClosed


def now() -> float:
    return asyncio.get_running_loop().time()


async def count(limit: int = 10**9) -> AsyncGenerator[int, None]:
    for n in range(limit):
        yield n


async def nothing() -> None:
    pass


# Streams.


async def test_a_writer_is_never_more_than_one_item_beyond_the_bound() -> None:
    async with Scope("s") as scope:
        stream = scope.pipe("n", count(9), ahead=3)
        for n in range(9):
            await asyncio.sleep(0.1)
            assert stream.size == min(4, 9 - n)
            assert await stream.next() == n
        with pytest.raises(StopAsyncIteration):
            await stream.next()


async def test_the_bound_counts_what_the_measure_says() -> None:
    async def texts() -> AsyncGenerator[str, None]:
        for text in ("aaaa", "", "bb", "c"):
            yield text

    async with Scope("s") as scope:
        stream = scope.pipe("n", texts(), 5, len)
        await asyncio.sleep(0.1)
        assert stream.size == 6
        assert [text async for text in stream] == ["aaaa", "", "bb", "c"]
        assert stream.size == 0


async def test_an_error_comes_after_the_items_before_it_and_once() -> None:
    async def failing() -> AsyncGenerator[int, None]:
        yield 1
        yield 2
        raise ValueError("three")

    async with Scope("s") as scope:
        stream = scope.pipe("n", failing(), ahead=9)
        assert [await stream.next(), await stream.next()] == [1, 2]
        with pytest.raises(ValueError, match="three"):
            await stream.next()
        with pytest.raises(StopAsyncIteration):
            await stream.next()


async def test_a_timeout_raises_at_its_time_and_loses_no_item() -> None:
    stream: Stream[int] = Stream(9)
    with pytest.raises(Silent):
        await stream.next(0.5)
    assert now() == 0.5
    asyncio.get_running_loop().call_later(0.5, stream.put_nowait, 7)
    assert await stream.next(0.5) == 7, "what comes at the very moment is in time"
    assert now() == 1.0
    asyncio.get_running_loop().call_later(0.75, stream.put_nowait, 8)
    with pytest.raises(Silent):
        await stream.next(0.5)
    assert await stream.next() == 8
    assert now() == 1.75


async def test_a_reader_that_is_cancelled_loses_no_item_and_leaves_its_place() -> None:
    stream: Stream[int] = Stream(9)
    async with Scope("s") as scope:
        reader = scope.start("reader", stream.next(5.0))
        await asyncio.sleep(0.1)
        stream.put_nowait(1)  # it is woken, and cancelled before it runs
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader
        assert reader.cancelled()
        assert await stream.next() == 1


async def test_a_second_reader_is_refused_and_the_first_goes_on() -> None:
    stream: Stream[int] = Stream(9, name="words")
    async with Scope("s") as scope:
        first = scope.start("first", stream.next())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="'words' has a reader already"):
            await stream.next()
        stream.put_nowait(1)
        assert await first == 1


async def test_closing_lets_the_writer_go_and_ends_the_reader() -> None:
    stream: Stream[int] = Stream(0)
    async with Scope("s") as scope:
        writer = scope.start("writer", wrapped(stream.put(1)))
        await asyncio.sleep(0.1)
        assert not writer.done()
        stream.close()
        assert await writer == "StreamClosed"
        with pytest.raises(StopAsyncIteration):
            await stream.next()
        with pytest.raises(StreamClosed):
            stream.put_nowait(2)
        other: Stream[int] = Stream(0)
        reader = scope.start("reader", wrapped(other.next()))
        await asyncio.sleep(0.1)
        other.close()
        assert await reader == "StopAsyncIteration"


async def test_a_forwarded_stream_hands_on_what_waited_and_then_each_item_at_once() -> None:
    stream: Stream[int] = Stream(9)
    got: list[object] = []
    stream.put_nowait(1)
    stream.forward(got.append, lambda: got.append("end"))
    assert got == [1]
    stream.put_nowait(2)
    assert (got, stream.size) == ([1, 2], 0)
    stream.end()
    stream.close()
    assert got == [1, 2, "end"]


async def test_a_stream_forwarded_after_its_end_ends_its_sink() -> None:
    stream: Stream[int] = Stream(9)
    got: list[object] = []
    stream.put_nowait(1)
    stream.end()
    stream.forward(got.append, lambda: got.append("end"))
    assert got == [1, "end"]


async def test_nothing_is_put_after_the_end() -> None:
    stream: Stream[int] = Stream(9)
    stream.put_nowait(1)
    stream.end()
    stream.end(ValueError("too late"))
    assert stream.ended
    with pytest.raises(StreamClosed):
        await stream.put(2)
    assert [n async for n in stream] == [1]


async def wrapped(work: Awaitable[object]) -> str:
    """The name of what `work` raises."""
    try:
        await work
    except Exception as error:
        return type(error).__name__
    return ""


# Stages.


class Odd:
    """An iterable whose iterator is an async generator of its own."""

    def __init__(self) -> None:
        self.closed_in: asyncio.Task[object] | None = None
        self.advanced_in: asyncio.Task[object] | None = None

    async def __aiter__(self) -> AsyncIterator[int]:
        self.advanced_in = asyncio.current_task()
        try:
            yield 1
            await asyncio.sleep(99)
        finally:
            self.closed_in = asyncio.current_task()


async def test_a_generator_is_closed_in_the_task_that_advanced_it() -> None:
    odd = Odd()
    async with Scope("s") as scope:
        assert await scope.pipe("odd", odd, ahead=0).next() == 1
    assert odd.closed_in is odd.advanced_in is not None
    odd = Odd()
    async with Scope("s") as scope:
        stream = scope.pipe("odd", odd, ahead=0)
        await asyncio.sleep(0.1)
        stream.close()  # while it waits in `put`, or at its own await
        await asyncio.sleep(100.0)
    assert odd.closed_in is odd.advanced_in is not None


async def test_a_source_that_is_no_iterable_ends_its_stream_with_the_error() -> None:
    async with Scope("s") as scope:
        stream: Stream[int] = scope.pipe("n", 7, ahead=0)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            await stream.next()


async def yielding_once_more() -> AsyncGenerator[int, None]:
    try:
        yield 1
        await asyncio.sleep(99)
    except (GeneratorExit, asyncio.CancelledError):
        yield 2


async def raising_when_closed() -> AsyncGenerator[int, None]:
    try:
        yield 1
        await asyncio.sleep(99)
    finally:
        raise ValueError("closing")


async def never_ending() -> AsyncGenerator[int, None]:
    while True:
        yield 1
        await asyncio.sleep(0)


async def swallowing() -> AsyncGenerator[int, None]:
    while now() < 3.0:
        with suppress(asyncio.CancelledError):
            yield 1
            await asyncio.sleep(0.5)


@pytest.mark.parametrize(
    "source", [yielding_once_more, raising_when_closed, never_ending, swallowing]
)
@pytest.mark.parametrize("ahead", [0, 9])
async def test_a_stage_that_misbehaves_is_left_in_time(
    source: Callable[[], AsyncGenerator[int, None]], ahead: int
) -> None:
    start = now()
    async with Scope("s") as scope:
        assert await scope.pipe("n", source(), ahead).next() == 1
    assert now() <= start + GRACE + LAST_GRACE
    await asyncio.sleep(5.0)


async def cancelling_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(99)


async def test_a_stage_that_cancels_itself_wakes_its_reader() -> None:
    async def suicidal() -> AsyncGenerator[int, None]:
        yield 1
        await cancelling_itself()

    async def raising() -> AsyncGenerator[int, None]:
        yield 1
        raise asyncio.CancelledError

    for source, message in ((suicidal, "n was stopped"), (raising, "n cancelled itself")):
        async with Scope("s") as scope:
            stream = scope.pipe("n", source(), ahead=9)
            assert await stream.next() == 1
            with pytest.raises(NodeError, match=message):
                await stream.next()


async def test_a_stage_that_swallows_its_cancellation_stops_at_its_next_item() -> None:
    async with Scope("s") as scope:
        assert await scope.pipe("n", swallowing(), ahead=99).next() == 1
        await asyncio.sleep(0.25)
    assert now() == 0.25
