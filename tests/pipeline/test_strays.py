"""What a run leaves behind is found, and a suspended coroutine says where it waits."""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import TYPE_CHECKING

import pytest

from antiphon.pipeline.clock import Strays, run
from antiphon.pipeline.strays import function, leaving_nothing, where

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator


async def count() -> AsyncGenerator[int, None]:
    yield 1
    yield 2


async def drop_a_generator() -> None:
    async for _ in count():
        break


async def leave_a_task() -> None:
    asyncio.get_running_loop().call_later(5, print)  # a timer is no stray
    await asyncio.sleep(1)
    leave_a_task.kept = asyncio.create_task(asyncio.sleep(9), name="left")  # type: ignore[attr-defined]


async def leave_an_error() -> None:
    asyncio.get_running_loop().call_soon([].pop)
    await asyncio.sleep(1)


@pytest.mark.parametrize(
    ("main", "stray"),
    [
        (drop_a_generator, "generator count (test_strays.py:20), dropped before it was closed"),
        (leave_a_task, "task 'left' waits in sleep (tasks.py:"),
        (leave_an_error, "IndexError('pop from empty list')"),
    ],
)
def test_a_strict_run_raises_for_what_is_left_and_a_plain_run_does_not(
    main: Callable[[], object], stray: str
) -> None:
    run(main)  # type: ignore[arg-type]
    with pytest.raises(Strays) as caught:
        run(main, strict=True)  # type: ignore[arg-type]
    assert len(caught.value.strays) == 1
    assert stray in caught.value.strays[0]


def test_a_strict_run_returns_its_result_and_gives_what_ends_the_time_to_end() -> None:
    async def main() -> str:
        task = asyncio.create_task(asyncio.sleep(1))
        await asyncio.sleep(0)
        task.cancel()
        numbers = count()
        await anext(numbers)
        await numbers.aclose()
        return "tidy"

    assert run(main, strict=True) == "tidy"


def test_an_error_of_the_run_itself_comes_first_and_carries_the_strays_as_a_note() -> None:
    async def main() -> None:
        await leave_a_task()
        raise LookupError("its own")

    with pytest.raises(LookupError, match="its own") as caught:
        run(main, strict=True)
    assert ["task 'left'" in note for note in caught.value.__notes__] == [True]


def test_a_cancelled_strict_run_is_cancelled() -> None:
    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(1, task.cancel)
        await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        run(main, strict=True)


def test_a_handler_of_the_run_s_own_keeps_its_reports_to_itself() -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append(context["message"]))
        await leave_an_error()
        return seen

    (message,) = run(main, strict=True)
    assert message.startswith("Exception in callback")


def test_the_loop_is_left_as_it_was_found() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = (sys.get_asyncgen_hooks(), loop.get_exception_handler())
        await leaving_nothing(asyncio.sleep(1))
        with pytest.raises(Strays):
            await leaving_nothing(drop_a_generator())
        assert (sys.get_asyncgen_hooks(), loop.get_exception_handler()) == before

    run(main)


async def test_a_wait_is_described_through_every_kind_of_awaitable() -> None:
    class Custom:
        def __await__(self) -> Generator[object, object, None]:
            yield from asyncio.Event().wait().__await__()

    async def by_generator() -> AsyncIterator[int]:
        await Custom()
        yield 1

    async def by_loop() -> None:
        async for _ in by_generator():
            pass

    async def by_anext() -> None:
        await anext(by_generator(), None)

    for outer in (by_loop, by_anext):
        task = asyncio.create_task(outer())
        await asyncio.sleep(0)
        names = [step.split(" (")[0].split(".")[-1] for step in where(task.get_coro()).split(" > ")]
        assert names == [outer.__name__, "by_generator", "__await__", "wait"]
        task.cancel()
        await asyncio.wait([task])
        assert where(task.get_coro()) == ""


def test_the_function_of_a_job_is_named_from_under_its_wrappers() -> None:
    place = f"(test_strays.py:{leave_an_error.__code__.co_firstlineno})"
    assert function(functools.partial(leave_an_error), ()) == f"leave_an_error {place}"
    assert function(print, ()) == "<built-in function print>"
