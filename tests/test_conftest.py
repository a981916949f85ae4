"""The laws of `conftest.py` bite: each test below looks at one outcome of one run of pytest."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.jobs.workers import alive

HERE = Path(__file__).parent

PROGRAM = """
import asyncio, subprocess, sys, time
import pytest

kept = []

async def numbers():
    yield 1
    yield 2

async def fails():
    raise LookupError("nobody reads this")

async def test_virtual():
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    await asyncio.sleep(86_400)
    assert loop.time() == 86_400 and time.monotonic() - began < 60

@pytest.mark.realtime
async def test_real():
    assert isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)

async def test_ending_tasks():
    task = asyncio.create_task(asyncio.sleep(1))
    await asyncio.sleep(0)
    task.cancel()

async def test_closed_generator():
    generator = numbers()
    await anext(generator)
    await generator.aclose()
    assert [n async for n in numbers()] == [1, 2]

async def test_stray_task():
    kept.append(asyncio.create_task(asyncio.sleep(10), name="the stray"))

@pytest.mark.realtime
async def test_real_stray_task():
    kept.append(asyncio.create_task(asyncio.sleep(10), name="the stray"))

async def test_dropped_generator():
    async for n in numbers():
        break

async def test_kept_generator():
    kept.append(numbers())
    await anext(kept[-1])

async def test_unread_error():
    asyncio.create_task(fails())
    await asyncio.sleep(1)

async def test_unread_error_in_a_cycle():
    cycle = [asyncio.create_task(fails())]
    cycle.append(cycle)
    await asyncio.sleep(1)

async def test_destroyed_task():
    async def lost():
        await asyncio.get_running_loop().create_future()
    asyncio.create_task(lost(), name="the lost one")
    await asyncio.sleep(0)
    import gc; gc.collect()

async def test_failing_callback():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(1)

async def test_own_error():
    kept.append(asyncio.create_task(asyncio.sleep(10), name="the stray"))
    raise LookupError("its own")

async def test_deadlock():
    await asyncio.Event().wait()

@pytest.fixture
async def careless():
    kept.append(asyncio.create_task(asyncio.sleep(10), name="the fixture's"))

@pytest.fixture
async def careful():
    task = asyncio.create_task(asyncio.sleep(10))
    yield
    task.cancel()
    await asyncio.wait([task])

async def test_careless_fixture(careless):
    pass

async def test_careful_fixture(careful):
    await asyncio.sleep(1)

def test_left_process():
    kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]))
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """For each test of PROGRAM, what it failed with; nothing if it passed. And all it said."""
    folder = tmp_path_factory.mktemp("laws")
    (folder / "test_laws.py").write_text(PROGRAM)
    laws = (HERE / "conftest.py").read_text()
    (folder / "conftest.py").write_text(laws.replace("ENDED_WITHIN = 10.0", "ENDED_WITHIN = 0.1"))
    options = ["-c", HERE.parent / "pyproject.toml", "--rootdir", folder, "-p", "no:cacheprovider"]
    words = ["-m", "pytest", *map(str, options), "--junit-xml=laws.xml", "test_laws.py"]
    ran = subprocess.run(
        [sys.executable, *words], cwd=folder, check=False, capture_output=True, text=True
    )
    return {"all": ran.stdout} | {
        str(case.get("name")): "\n".join(
            f"{part.tag}: {part.get('message')}\n{part.text}"
            for part in case
            if part.tag in ("failure", "error")
        )
        for case in ElementTree.parse(folder / "laws.xml").iter("testcase")
    }


@pytest.mark.parametrize("name", ["virtual", "real"])
def test_async_tests_run_on_virtual_time_unless_marked_realtime(
    outcomes: dict[str, str], name: str
) -> None:
    assert outcomes[f"test_{name}"] == ""


@pytest.mark.parametrize("name", ["ending_tasks", "closed_generator", "careful_fixture"])
def test_a_tidy_test_passes(outcomes: dict[str, str], name: str) -> None:
    assert outcomes[f"test_{name}"] == ""


@pytest.mark.parametrize("name", ["stray_task", "real_stray_task"])
def test_a_stray_task_fails_its_test_by_name(outcomes: dict[str, str], name: str) -> None:
    assert outcomes[f"test_{name}"].startswith("failure: ")
    assert "task 'the stray' waits in sleep" in outcomes[f"test_{name}"]


def test_a_dropped_generator_fails_its_test_by_name(outcomes: dict[str, str]) -> None:
    assert "generator numbers (test_laws.py:8), dropped" in outcomes["test_dropped_generator"]


def test_a_generator_kept_unfinished_fails_its_test_by_name(outcomes: dict[str, str]) -> None:
    assert "generator numbers (test_laws.py:8), never closed" in outcomes["test_kept_generator"]


@pytest.mark.parametrize("name", ["unread_error", "unread_error_in_a_cycle"])
def test_an_error_nobody_read_fails_its_test(outcomes: dict[str, str], name: str) -> None:
    assert "Task exception was never retrieved" in outcomes[f"test_{name}"]
    assert "nobody reads this" in outcomes[f"test_{name}"]


def test_a_destroyed_task_fails_its_test(outcomes: dict[str, str]) -> None:
    assert "Task was destroyed but it is pending" in outcomes["test_destroyed_task"]
    assert "the lost one" in outcomes["test_destroyed_task"]


def test_a_callback_that_raises_fails_its_test(outcomes: dict[str, str]) -> None:
    assert "ZeroDivisionError" in outcomes["test_failing_callback"]


def test_a_failing_test_fails_with_its_own_error_and_notes_its_strays(
    outcomes: dict[str, str],
) -> None:
    assert "LookupError: its own" in outcomes["test_own_error"]
    assert "task 'the stray' waits in sleep" in outcomes["test_own_error"]


def test_a_deadlock_fails_its_test_and_says_who_waits(outcomes: dict[str, str]) -> None:
    assert "Deadlock" in outcomes["test_deadlock"]
    assert "> Event.wait (locks.py:" in outcomes["test_deadlock"]


def test_a_task_that_a_fixture_leaves_is_an_error(outcomes: dict[str, str]) -> None:
    assert outcomes["test_careless_fixture"].startswith("error: ")
    assert "the fixture's" in outcomes["test_careless_fixture"]


def test_a_process_that_is_left_when_all_is_over_is_named_and_ended(
    outcomes: dict[str, str],
) -> None:
    assert outcomes["test_left_process"] == ""
    said = outcomes["all"].partition("the tests left processes behind:\n")[2]
    number, _, command = said.partition(" ")
    assert command.startswith(f"{sys.executable} -c import time; time.sleep(600)\n")
    assert not alive(int(number))
