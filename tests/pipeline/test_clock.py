"""Virtual time is exact and in order, and says what is wrong instead of hanging."""

from __future__ import annotations

import asyncio
import math
import random
import threading
from typing import TYPE_CHECKING

import pytest

from antiphon.pipeline.clock import LIVELOCK_PASSES, Deadlock, Livelock, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_time_starts_at_zero_and_jumps_over_a_day_of_sleep() -> None:
    assert now() == 0.0
    await asyncio.sleep(86_400)
    assert now() == 86_400.0


def test_time_starts_where_it_is_told_to() -> None:
    async def times() -> tuple[float, float]:
        begin = now()
        await asyncio.sleep(0.25)
        return begin, now()

    assert run(times, start=1e9) == (1e9, 1e9 + 0.25)


async def test_every_timer_fires_at_exactly_its_own_time() -> None:
    loop, seed = asyncio.get_running_loop(), random.Random(1)
    wanted = [seed.choice([0.1, 0.3, 1e-9, 7.0, 1e6]) * seed.random() for _ in range(2_000)]
    wanted += [0.3, 0.1 + 0.2, math.nextafter(0.3, 0), 1e7, math.nextafter(1e7, math.inf)]
    fired: list[tuple[float, float]] = []

    def fire(when: float) -> None:
        fired.append((when, loop.time()))

    for when in wanted:
        loop.call_at(when, fire, when)
    await asyncio.sleep(2e7)
    assert fired == [(when, when) for when in sorted(wanted)]


async def test_a_deadline_is_reached_when_its_timer_fires() -> None:
    loop, passes = asyncio.get_running_loop(), 0
    deadline = now() + 0.1
    while now() < deadline:
        passes += 1
        woken = asyncio.Event()
        loop.call_at(deadline, woken.set)
        await woken.wait()
    assert passes == 1


async def test_timers_of_one_instant_fire_in_the_order_they_were_set() -> None:
    loop, order = asyncio.get_running_loop(), list[int]()
    handles = [loop.call_at(1.0, order.append, n) for n in range(500)]
    for handle in handles[::3]:
        handle.cancel()
    await asyncio.sleep(2)
    assert order == [n for n in range(500) if n % 3]


async def test_a_timer_in_the_past_fires_at_once_and_time_does_not_go_back() -> None:
    await asyncio.sleep(5)
    times: list[float] = []
    asyncio.get_running_loop().call_at(1.0, lambda: times.append(now()))
    await asyncio.sleep(1)
    assert times == [5.0]


async def test_time_does_not_stop_at_cancelled_timers() -> None:
    loop = asyncio.get_running_loop()
    for n in range(300):
        loop.call_at(n * 0.001, pytest.fail, "was cancelled").cancel()
    seen: list[float] = []
    loop.call_at(1.0, lambda: seen.append(loop.time()))
    await asyncio.sleep(2)
    assert seen == [1.0]


def test_a_cancelled_timer_does_not_count_as_a_way_out_of_a_deadlock() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_later(5, print).cancel()
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match=r"at 0\.0 s"):
        run(main)


async def test_what_is_ready_runs_before_time_moves() -> None:
    loop, times = asyncio.get_running_loop(), list[float]()
    loop.call_later(1e-12, lambda: times.append(-1))
    for _ in range(100):
        await asyncio.sleep(0)
        times.append(now())
    assert times == [0.0] * 100
    await asyncio.sleep(1)


async def test_timeouts_are_exact() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await asyncio.sleep(0.3000001)
    assert now() == 0.3
    async with asyncio.timeout(0.3):
        await asyncio.sleep(0.2999999)


def test_ten_thousand_crossing_sleeps_happen_the_same_way_each_time() -> None:
    async def story() -> list[tuple[float, int]]:
        seed, seen = random.Random(7), list[tuple[float, int]]()

        async def sleeper(n: int) -> None:
            for _ in range(100):
                await asyncio.sleep(seed.choice([0, 0.01, 0.02, 0.1 * seed.random()]))
                seen.append((now(), n))

        await asyncio.gather(*(sleeper(n) for n in range(100)))
        return seen

    first = run(story)
    assert len(first) == 10_000
    assert run(story) == first


def test_a_deadlock_names_each_waiting_task_and_its_innermost_frame() -> None:
    async def ears() -> None:
        async for _ in words():
            pass

    async def words() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield ""

    async def main() -> None:
        await asyncio.sleep(2.5)
        ear = asyncio.create_task(ears(), name="ear")
        await ear

    with pytest.raises(Deadlock) as caught:
        run(main)
    message = str(caught.value)
    assert message.startswith("at 2.5 s nothing is ready")
    assert "task 'ear' waits in " in message
    assert "ears (test_clock.py:" in message
    assert ".words (test_clock.py:" in message
    assert message.count("> Event.wait (locks.py:") == 1


def test_sleeping_for_ever_is_a_deadlock() -> None:
    with pytest.raises(Deadlock):
        run(asyncio.sleep(math.inf))


def test_tasks_are_cleaned_up_after_a_deadlock() -> None:
    ended: list[str] = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            ended.append("after a sleep")

    with pytest.raises(Deadlock):
        run(main)
    assert ended == ["after a sleep"]


def test_a_task_that_refuses_to_die_cannot_hang_the_exit() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        asyncio.create_task(stubborn(), name="stubborn")  # noqa: RUF006
        await asyncio.sleep(0)

    with pytest.raises(Deadlock, match="task 'stubborn' waits in"):
        run(main)


def test_a_livelock_names_the_callbacks_that_keep_an_instant_alive() -> None:
    async def spin() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.sleep(1)
        await asyncio.create_task(spin(), name="dervish")

    with pytest.raises(Livelock, match=r"(?s)at 1\.0 s.*task 'dervish' in .*spin \(test_clock"):
        run(main)


def test_timers_that_set_each_other_for_this_very_instant_are_a_livelock() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def again() -> None:
            loop.call_at(loop.time(), again)

        again()
        await asyncio.sleep(1)

    with pytest.raises(Livelock, match="again"):
        run(main)


async def test_a_long_story_of_many_instants_is_no_livelock() -> None:
    for _ in range(LIVELOCK_PASSES // 2):
        await asyncio.sleep(1e-3)
    assert now() == pytest.approx(LIVELOCK_PASSES / 2000)


def test_run_takes_a_coroutine_or_a_function_and_returns_its_result() -> None:
    async def answer() -> int:
        await asyncio.sleep(1)
        return 42

    assert run(answer()) == run(answer) == 42


def test_run_leaves_no_loop_open_and_none_running() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())

    run(main)
    assert loops[0].is_closed()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_an_interrupt_ends_a_loop_that_waits_for_a_thread() -> None:
    gate = threading.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        waiting = asyncio.current_task()
        assert waiting is not None

        def interrupt() -> None:  # as asyncio.Runner does it on SIGINT
            loop.call_soon_threadsafe(waiting.cancel)
            gate.wait()

        try:
            await loop.run_in_executor(None, interrupt)
        finally:
            gate.set()

    with pytest.raises(asyncio.CancelledError):
        run(main)
