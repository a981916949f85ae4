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
    barrier = threading.Barrier(2)

    async def main(step: float) -> float:
        await asyncio.to_thread(barrier.wait)
        for _ in range(1_000):
            await asyncio.sleep(step)
        with pytest.raises(RealSleep):
            time.sleep(60)  # noqa: ASYNC251
        await asyncio.to_thread(barrier.wait)
        return now()

    with concurrent.futures.ThreadPoolExecutor() as threads:
        assert list(threads.map(lambda step: run(main(step)), [0.5, 0.25])) == [500.0, 250.0]
    assert time.sleep is before
