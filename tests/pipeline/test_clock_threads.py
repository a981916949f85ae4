"""Threads hold the virtual clock, and are delivered in order."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import queue
import threading
from typing import TYPE_CHECKING

import pytest

from antiphon.pipeline.clock import (
    LIVELOCK_PASSES,
    Deadlock,
    Hold,
    NotVirtual,
    VirtualTimeLoop,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


def now() -> float:
    return asyncio.get_running_loop().time()


def run_impatiently(main: Coroutine[object, object, None]) -> None:
    """Run with a patience so short that every thread seems slow."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience=0.02)) as runner:
        runner.run(main)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """An event for threads to wait for; set in the end, so that none outlives a failure."""
    gate = threading.Event()
    yield gate
    gate.set()


@contextlib.contextmanager
def when_the_clock_is_long_held(act: Callable[[], object]) -> Iterator[None]:
    """Do `act` when the loop complains that it has nothing to do but wait for threads."""

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            act()

    listener = Listener()
    logging.getLogger("antiphon.clock").addHandler(listener)
    yield
    logging.getLogger("antiphon.clock").removeHandler(listener)


def test_time_stands_still_while_a_thread_works_and_the_log_names_it_if_it_is_slow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    enough: queue.SimpleQueue[str] = queue.SimpleQueue()

    def slow() -> str:
        return enough.get()

    async def main() -> None:
        await asyncio.sleep(0.5)
        early = asyncio.get_running_loop().call_later(1e-9, pytest.fail, "time went on")
        assert (await asyncio.to_thread(slow), now()) == ("done", 0.5)
        early.cancel()

    with when_the_clock_is_long_held(lambda: enough.put("done")):
        run_impatiently(main())
    message = caplog.messages[0]  # on a busy machine it says so again
    assert message.startswith("clock held for 0.02 real seconds by ")
    assert "slow (test_clock_threads.py:" in message


async def test_what_can_happen_in_this_instant_happens_while_a_thread_works() -> None:
    hand_over: queue.SimpleQueue[str] = queue.SimpleQueue()
    listening = asyncio.create_task(asyncio.to_thread(hand_over.get))
    await asyncio.sleep(0)
    hand_over.put("a word")
    assert await listening == "a word"
    assert now() == 0.0


def test_results_arrive_in_the_order_of_submission_whoever_is_done_first() -> None:
    async def story(finish: list[int]) -> list[tuple[float, int]]:
        gates = [threading.Event() for _ in finish]
        seen: list[tuple[float, int]] = []

        def work(n: int) -> int:
            gates[n].wait()
            if (place := finish.index(n)) + 1 < len(finish):
                gates[finish[place + 1]].set()
            return n

        async def job(n: int) -> None:
            seen.append((now(), await asyncio.to_thread(work, n)))

        gates[finish[0]].set()
        await asyncio.gather(*map(job, range(len(finish))))
        return seen

    in_order = [(0.0, 0), (0.0, 1), (0.0, 2), (0.0, 3)]
    for finish in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        assert run(story(finish)) == in_order


def test_a_young_result_passes_an_old_job_that_waits_for_it() -> None:
    async def main() -> None:
        relay: queue.SimpleQueue[str] = queue.SimpleQueue()
        old = asyncio.create_task(asyncio.to_thread(relay.get))
        await asyncio.sleep(0)
        relay.put(await asyncio.to_thread(str.upper, "young"))
        assert (await old, now()) == ("YOUNG", 0.0)

    run_impatiently(main())


async def test_an_executor_s_error_reaches_the_one_who_waits() -> None:
    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(LookupError, match="not here"):
        await asyncio.to_thread(fail, LookupError("not here"))
    with pytest.raises(RuntimeError, match="fail .* raised StopIteration"):
        await asyncio.to_thread(fail, StopIteration())


def test_a_job_that_nobody_waits_for_any_more_still_holds_the_clock() -> None:
    begun: queue.SimpleQueue[None] = queue.SimpleQueue()
    gate: queue.SimpleQueue[None] = queue.SimpleQueue()
    times: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def work() -> None:
            begun.put(None)
            gate.get()
            loop.call_soon_threadsafe(lambda: times.append(loop.time()))

        job = loop.run_in_executor(None, work)
        begun.get()
        job.cancel()
        await asyncio.sleep(3)
        assert job.cancelled()

    with when_the_clock_is_long_held(lambda: gate.put(None)):
        run_impatiently(main())
    assert times == [0.0]


def test_the_loop_wakes_as_soon_as_a_thread_has_something_for_it() -> None:
    async def main() -> None:
        loop, called = asyncio.get_running_loop(), asyncio.Event()
        assert isinstance(loop, VirtualTimeLoop)
        await asyncio.to_thread(int)
        with loop.hold():
            threading.Timer(0.001, loop.call_soon_threadsafe, [called.set]).start()
            await called.wait()
        hold = loop.hold()
        threading.Timer(0.001, hold.release).start()
        await asyncio.sleep(1)

    endless_patience = functools.partial(VirtualTimeLoop, patience=threading.TIMEOUT_MAX)
    with asyncio.Runner(loop_factory=endless_patience) as runner:
        runner.run(main())


async def test_a_job_cancelled_by_its_executor_cancels_who_waits(gate: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    one = concurrent.futures.ThreadPoolExecutor(1)
    first = loop.run_in_executor(one, gate.wait)
    second = loop.run_in_executor(one, int)
    one.shutdown(wait=False, cancel_futures=True)
    gate.set()
    assert await first
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_an_instant_in_which_threads_get_work_done_is_no_livelock() -> None:
    for _ in range(5):
        await asyncio.to_thread(int)
        for _ in range(LIVELOCK_PASSES // 4):
            await asyncio.sleep(0)
    assert now() == 0.0


async def test_a_cancelled_job_that_has_not_begun_never_begins(gate: threading.Event) -> None:
    loop, ran = asyncio.get_running_loop(), list[int]()
    with concurrent.futures.ThreadPoolExecutor(1) as one:
        first = loop.run_in_executor(one, gate.wait)
        second = loop.run_in_executor(one, ran.append, 2)
        second.cancel()
        loop.call_soon(lambda: loop.call_soon(gate.set))
        await first
        await asyncio.sleep(1)
    assert ran == []


def test_a_hold_stops_the_clock_for_a_thread_of_one_s_own_and_the_log_names_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop, times = VirtualTimeLoop(patience=0.02), list[float]()
    gate: queue.SimpleQueue[None] = queue.SimpleQueue()

    def work(hold: Hold, done: asyncio.Event) -> None:
        with hold:
            gate.get()
            for _ in range(50):
                loop.call_soon_threadsafe(lambda: times.append(loop.time()))
            loop.call_soon_threadsafe(done.set)

    async def main() -> None:
        done = asyncio.Event()
        await asyncio.sleep(1)
        hold = loop.hold()
        thread = threading.Thread(target=work, args=(hold, done))
        thread.start()
        early = loop.call_later(1e-9, pytest.fail, "time went on")
        await done.wait()
        early.cancel()
        thread.join()
        hold.release()  # once more does no harm
        await asyncio.sleep(1)
        assert now() == 2.0

    with (
        when_the_clock_is_long_held(lambda: gate.put(None)),
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        runner.run(main())
    assert times == [1.0] * 50
    assert "by hold() at test_clock_threads.py:" in caplog.text


def test_without_a_hold_no_thread_saves_an_idle_loop_from_its_deadlock(
    gate: threading.Event,
) -> None:
    thread = threading.Thread(target=gate.wait)
    thread.start()
    with pytest.raises(Deadlock):
        run(asyncio.Event().wait())
    gate.set()
    thread.join()


def test_a_thread_that_waits_for_a_timer_of_the_loop_is_refused_by_name() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def asks_the_loop() -> None:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(5), loop).result()

        both = threading.Barrier(2)  # two threads, so that one is idle afterwards
        await asyncio.gather(asyncio.to_thread(both.wait), asyncio.to_thread(both.wait))
        with pytest.raises(
            NotVirtual, match=r"asks_the_loop \(test_clock_threads\.py:\d+\) waits in a thr"
        ):
            await asyncio.to_thread(asks_the_loop)
        assert now() == 0.0
        await asyncio.sleep(6)  # refused, the job no longer holds the clock, and can end

    run_impatiently(main())


def test_a_thread_that_waits_with_a_timeout_is_not_refused(gate: threading.Event) -> None:
    async def main() -> None:
        assert await asyncio.to_thread(gate.wait, 60)

    with when_the_clock_is_long_held(gate.set):
        run_impatiently(main())


def test_leaving_waits_for_the_threads_that_end_in_time() -> None:
    threads: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()
    let_end, ended = threading.Event(), list[bool]()

    def work() -> None:
        threads.put(threading.current_thread())
        ended.append(let_end.wait())

    async def main() -> threading.Thread:
        asyncio.get_running_loop().run_in_executor(None, work)
        thread = threads.get()
        let_end.set()
        return thread

    assert (run(main).is_alive(), ended) == (False, [True])


def test_leaving_names_the_jobs_that_do_not_end_and_cancels_those_that_have_not_begun(
    gate: threading.Event,
) -> None:
    begun = threading.Event()

    def never_ends() -> None:
        begun.set()
        gate.wait()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(1))
        loop.run_in_executor(None, never_ends)
        loop.run_in_executor(None, print, "never begins")
        begun.wait()

    with pytest.warns(RuntimeWarning, match=r"^still working in a thread: [^,]*never_ends [^,]*$"):
        run_impatiently(main())


def test_no_job_is_taken_after_the_executor_has_been_shut_down() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, int)
        await loop.shutdown_default_executor()
        with pytest.raises(RuntimeError, match="has been shut down"):
            loop.run_in_executor(None, int)
        assert now() == 0.0

    run(main)


async def test_an_executor_of_one_s_own_can_be_the_default() -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="mine"))
    name = await loop.run_in_executor(None, lambda: threading.current_thread().name)
    assert name.startswith("mine")
