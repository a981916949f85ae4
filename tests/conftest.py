"""Every `async def` test runs on virtual time, and fails for what it leaves behind.

That is a stray task, an async generator dropped or kept unfinished, and an error that nobody read:
see `antiphon.pipeline.strays`. A test marked `realtime` runs on the ordinary loop, by these laws.
A test that means to provoke a report sets an exception handler of its own on the loop.

The whole of the tests fails for processes that are left when all of them have ended.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
import signal
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from antiphon.pipeline.clock import Strays, VirtualTimeLoop, leaving_nothing
from antiphon.pipeline.strays import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator


_passed = pytest.StashKey[bool]()
OF_TESTS = "ANTIPHON_TESTS"  # in the environment of all that the tests start
ENDED_WITHIN = 10.0  # seconds, of a process whose test is over


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "realtime: run this test on the ordinary event loop")
    if not _is_xdists(config):
        os.environ[OF_TESTS] = uuid.uuid4().hex
    _hear_signals()


def _is_xdists(config: pytest.Config) -> bool:
    """It is one of the processes in which xdist runs tests."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    yield  # with the end of xdist's processes, and of the fixtures that last as long as these
    if _is_xdists(session.config) or not (left := _left_running()):
        return
    lines = [f"{each.pid} {' '.join(each.cmdline())[:200]}" for each in left]
    for each in left:
        each.kill()
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    reporter.write_line("\n".join(["the tests left processes behind:", *lines]), red=True)
    session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _left_running() -> list[psutil.Process]:
    """What the tests have started, and has not ended by itself."""
    theirs = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if each.environ().get(OF_TESTS) == os.environ[OF_TESTS] and not _is_ours(each):
                theirs.append(each)
    _, alive = psutil.wait_procs(theirs, ENDED_WITHIN)
    return list(alive)


def _is_ours(process: psutil.Process) -> bool:
    """This one, or one that `multiprocessing` has and that ends with it."""
    helps = process.ppid() == os.getpid() and "from multiprocessing." in str(process.cmdline())
    return process.pid == os.getpid() or helps


def _hear_signals() -> None:
    """Programs that are started from here inherit it when these are ignored, as under `nohup`."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            own = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
            signal.signal(number, own)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("realtime") is not None:
        return {"real": asyncio.SelectorEventLoop}
    return {"virtual": VirtualTimeLoop}


def pytest_collection_finish() -> None:
    # What is imported by now stays for good: the collection after each test need not look at it.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, None]:
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.obj = _leaving_nothing(item.obj)
    item.stash[_passed] = False
    yield
    item.stash[_passed] = True


def _leaving_nothing(test: Callable[..., Coroutine[object, object, None]]) -> object:
    @functools.wraps(test)
    async def guarded(*args: object, **kwargs: object) -> None:
        async def body() -> None:
            await test(*args, **kwargs)
            gc.collect()  # an unread error in a cycle is reported now, not in somebody else's test

        await leaving_nothing(body())

    return guarded


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Have pytest-asyncio's runner fail for tasks that fixtures left, before it cancels them."""
    runner: object = yield
    if isinstance(runner, asyncio.Runner) and request.scope == "function":
        fixturedef.addfinalizer(functools.partial(_fail_for_tasks, runner, request.node))
    return runner


def _fail_for_tasks(runner: asyncio.Runner, item: pytest.Item) -> None:
    passed = item.stash.get(_passed, True)  # else its tasks are noted at its failure already
    if passed and (tasks := asyncio.all_tasks(runner.get_loop())):
        raise Strays(waiting(tasks))
