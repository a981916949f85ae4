"""Scopes end in time, whatever their tasks do, and lose no cancellation."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from antiphon.pipeline.left_behind import STRAYS, Strays
from antiphon.pipeline.streams import GRACE, LAST_GRACE, Scope


def now() -> float:
    return asyncio.get_running_loop().time()


async def nothing() -> None:
    pass


async def ignoring() -> None:
    end = now() + 3.0
    while now() < end:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(end - now())


async def sleeping_in_finally() -> None:
    try:
        await asyncio.sleep(99)
    finally:
        await asyncio.sleep(99)


async def slow_to_close() -> None:
    try:
        await asyncio.sleep(99)
    finally:
        await asyncio.sleep(GRACE / 2)


async def raising_while_closing() -> None:
    try:
        await asyncio.sleep(99)
    finally:
        raise ValueError("closing")


async def cancelling_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(99)


async def swallowing_once() -> None:
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(99)
    await asyncio.sleep(99)


@pytest.mark.parametrize(
    ("work", "seconds", "stray"),
    [
        (ignoring, GRACE + LAST_GRACE, True),
        (sleeping_in_finally, GRACE, False),
        (swallowing_once, GRACE, False),
        (slow_to_close, GRACE / 2, False),
        (raising_while_closing, 0.0, False),
        (cancelling_itself, 0.0, False),
        (nothing, 0.0, False),
    ],
)
async def test_leaving_a_scope_takes_no_longer_than_its_graces(
    work: Callable[[], Awaitable[None]], seconds: float, stray: bool
) -> None:
    strays = Strays()
    async with Scope("reply", strays) as scope:
        scope.start("quick", nothing())
        scope.start("child", as_coroutine(work))
        await asyncio.sleep(1.0)
    assert now() == 1.0 + seconds
    assert strays.names == ["reply/child"] * stray
    await asyncio.sleep(5.0)
    assert strays.names == []


async def as_coroutine(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def test_a_cancellation_of_the_parent_is_never_lost() -> None:
    for child in (ignoring, sleeping_in_finally, raising_while_closing, nothing):
        for moment in (0.0, 0.5, 1.0, 1.0 + GRACE / 2, 1.0 + GRACE + LAST_GRACE / 2):
            start, strays = now(), Strays()

            async def parent(child: Callable[[], Awaitable[None]], strays: Strays) -> None:
                async with Scope("inner", strays) as scope:
                    scope.start("child", as_coroutine(child))
                    await asyncio.sleep(1.0)
                await asyncio.sleep(9.0)

            async with Scope("outer") as outer:
                task = outer.start("parent", parent(child, strays))
                asyncio.get_running_loop().call_at(start + moment, task.cancel)
                await asyncio.wait([task])
            assert task.cancelled()
            assert now() <= start + moment + GRACE + LAST_GRACE + 1e-9
            await asyncio.sleep(5.0)


async def test_an_error_of_the_body_goes_on_when_the_scope_has_ended() -> None:
    with pytest.raises(ValueError, match="body"):
        async with Scope("s") as scope:
            scope.start("child", sleeping_in_finally())
            await asyncio.sleep(1.0)
            raise ValueError("body")
    assert now() == 1.0 + GRACE


async def test_a_scope_that_ends_starts_nothing_more() -> None:
    async with Scope("reply") as scope:
        pass
    with pytest.raises(RuntimeError, match="reply is closing; late cannot start"):
        scope.start("late", nothing())


async def test_a_scope_opened_by_a_node_leaves_its_strays_with_the_session() -> None:
    strays = Strays()
    token = STRAYS.set(strays)
    async with Scope("tts") as scope:
        scope.start("deaf", ignoring())
        await asyncio.sleep(0.1)
    STRAYS.reset(token)
    assert strays.names == ["tts/deaf"]
    await asyncio.sleep(5.0)


async def test_a_failing_task_is_reported_by_name(caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> None:
        raise ValueError("oops")

    async with Scope("session") as scope:
        scope.start("ears", failing())
        await asyncio.sleep(0.1)
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == [
        "session/ears failed"
    ]
