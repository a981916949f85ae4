"""What virtual time cannot wait for is refused by name, at once."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time

import pytest

from antiphon.pipeline.clock import Deadlock, NotVirtual, RealSleep, run
from antiphon.pipeline.refused import NEEDS


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("name", sorted(" ".join(NEEDS.values()).split()))
async def test_what_needs_the_real_world_is_refused_by_name(name: str) -> None:
    with pytest.raises(NotVirtual, match=rf"^{name}\(\) needs a real "):
        await getattr(asyncio.get_running_loop(), name)()


async def test_streams_and_processes_of_asyncio_are_refused() -> None:
    with pytest.raises(NotVirtual, match="create_connection"):
        await asyncio.open_connection("localhost", 80)
    with pytest.raises(NotVirtual, match="create_server"):
        await asyncio.start_server(lambda reader, writer: None, "localhost", 0)
    with pytest.raises(NotVirtual, match="subprocess_exec"):
        await asyncio.create_subprocess_exec("true")


async def test_no_method_of_the_loop_is_left_unwritten() -> None:
    loop = asyncio.get_running_loop()
    unwritten = [
        name
        for name, method in vars(asyncio.AbstractEventLoop).items()
        if not name.startswith("_") and getattr(type(loop), name) is method
    ]
    assert set(unwritten) <= {"remove_reader", "remove_writer"}


async def test_real_sleep_on_the_loop_s_thread_is_refused_with_its_place() -> None:
    with pytest.raises(RealSleep, match=r"time\.sleep\(60\) at test_refused\.py:\d+ would"):
        time.sleep(60)  # noqa: ASYNC251
    assert now() == 0.0


def test_real_sleep_is_itself_again_after_the_loop() -> None:
    before = time.sleep

    async def main() -> None:
        assert time.sleep is not before

    run(main)
    assert time.sleep is before
    with pytest.raises(Deadlock):
        run(asyncio.Event().wait())
    assert time.sleep is before


async def test_real_sleep_works_in_other_threads() -> None:
    await asyncio.to_thread(time.sleep, 0.0)


def test_two_virtual_loops_in_two_threads_do_not_disturb_each_other() -> None:
    before = time.sleep
    both, first_ended = threading.Barrier(2), threading.Event()

    async def steps(step: float) -> float:
        await asyncio.to_thread(both.wait)
        for _ in range(1_000):
            await asyncio.sleep(step)
        return now()

    async def second() -> float:
        ended = await steps(0.25)
        await asyncio.to_thread(first_ended.wait)
        with pytest.raises(RealSleep):
            time.sleep(60)  # noqa: ASYNC251
        return ended

    with concurrent.futures.ThreadPoolExecutor() as threads:
        one, two = threads.submit(run, steps(0.5)), threads.submit(run, second)
        one.add_done_callback(lambda _: first_ended.set())
        assert (one.result(), two.result()) == (500.0, 250.0)
    assert time.sleep is before
