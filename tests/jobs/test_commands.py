"""`start`, `dev` and `connect`: what a program is run with, and what is said when it cannot be."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from antiphon import cli
from tests.jobs.workers import at_work, environment, rooms_of, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.jobs.workers import Worker
    from tests.livekit_server import LiveKitServer
    from tests.programs import Programs

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

GUARDED = """
if __name__ == "__main__":
    cli.run_app(server)
"""
UNGUARDED = "cli.run_app(server)"
OPTIONS = """
def load():
    return 0.0


if __name__ == "__main__":
    cli.run_app(WorkerOptions(
        entrypoint_fnc=entrypoint, agent_name="ways", load_fnc=load, num_idle_processes=1,
        port=0, initialize_process_timeout=60,
    ))
"""
THREADS = """
server = AgentServer(
    job_executor_type=JobExecutorType.THREAD, num_idle_processes=1, load_fnc=load, port=0
)
"""
WAYS = {
    "its own start": ("own start", "", GUARDED),
    "its own dev": ("own dev", "", GUARDED),
    "start agent.py": ("start", "", UNGUARDED),
    "dev FILE": ("dev", "", ""),
    "WorkerOptions": ("own start", "", OPTIONS),
    "threads": ("start", f"from antiphon import JobExecutorType\n\n{THREADS}", ""),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_program_takes_calls_however_it_is_run(
    livekit_server: LiveKitServer, tmp_path: Path, way: str
) -> None:
    command, before, after = WAYS[way]
    program = write(tmp_path, before=before, after=after, agent="ways")
    program = program.rename(tmp_path / "agent.py")
    with at_work(program, livekit_server, command=command) as worker:
        await worker.registered()
        async with rooms_of(livekit_server) as rooms:
            room = f"way {way}"
            await rooms.dispatch(room, "ways")
            await rooms.agent(room)
            worker.stop()
            if command.endswith("start"):  # which waits for its calls
                await worker.says("draining worker")
                await rooms.delete(room)
            assert await worker.ended() == 0, worker.said


async def test_connect_joins_one_room_and_ends_with_its_job(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    body = "await ctx.connect()\nawait asyncio.sleep(1)\nctx.shutdown()"
    words = "--room", "solo", "--participant-identity", "ada"
    with at_work(write(tmp_path, body), livekit_server, *words, command="connect") as worker:
        async with rooms_of(livekit_server) as rooms:
            await rooms.present("solo", "ada")
            assert await worker.ended() == 0
            assert "registered worker" not in worker.said


@pytest.fixture(scope="module")
def worker(
    tmp_path_factory: pytest.TempPathFactory, livekit_server: LiveKitServer
) -> Iterator[Worker]:
    """Its jobs do what the name of their room says."""
    folder = tmp_path_factory.mktemp("entries")
    with at_work(write(folder, ENTRIES, agent="entries"), livekit_server) as worker:
        yield worker


ENTRIES = """
if ctx.job.room.name == "failing":
    await appear(ctx)
    raise ValueError("set HAL_API_KEY")
if ctx.job.room.name == "away":
    ctx.shutdown("not today")
"""


async def test_an_entry_point_that_fails_is_told_in_a_line_and_ends_its_job(
    livekit_server: LiveKitServer, worker: Worker
) -> None:
    await worker.registered()
    async with rooms_of(livekit_server) as rooms:
        await rooms.dispatch("failing", "entries")
        await worker.says("the entry point failed: ValueError: set HAL_API_KEY (program.py:")
        await worker.says('"reason": "the entry point failed"')
        await rooms.empty_of_agents("failing")
    assert "Traceback" not in worker.said
    assert worker.said.count("HAL_API_KEY") == 1


async def test_a_job_that_never_connects_is_told_of_and_ended(
    livekit_server: LiveKitServer, worker: Worker
) -> None:
    await worker.registered()
    async with rooms_of(livekit_server) as rooms:
        await rooms.dispatch("absent", "entries")
        await worker.says("the entry point returned, and the job is in no room: await session")
        await worker.says('"reason": "the job never connected"')
    assert "without establishing a connection" not in worker.said  # LiveKit, in other words


async def test_a_job_that_is_turned_away_needs_no_room(
    livekit_server: LiveKitServer, worker: Worker
) -> None:
    await worker.registered()
    before = worker.said.count("in no room")
    async with rooms_of(livekit_server) as rooms:
        await rooms.dispatch("away", "entries")
        await worker.says('"reason": "not today"')
    assert worker.said.count("in no room") == before


async def test_a_setup_that_fails_ends_the_worker_with_what_is_wrong(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    before = "def setup(process):\n    open('model.onnx')\n\n\nserver.setup_fnc = setup"
    with at_work(write(tmp_path, before=before), livekit_server) as worker:
        assert await worker.ended() == 1
    why = "program.py failed in setup_fnc: FileNotFoundError: [Errno 2] No such file or directory"
    assert worker.said.splitlines()[-1].startswith(f"antiphon: {why}: 'model.onnx' (program.py:")
    assert worker.said.count("FileNotFoundError") == 1


async def test_a_server_that_refuses_the_keys_ends_the_worker_at_once(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    wrong = "--api-secret", "not-the-secret-of-this-server-at-all"
    with at_work(write(tmp_path), livekit_server, *wrong) as worker:
        assert await worker.ended() == 1
    last = worker.said.splitlines()[-1]
    assert last == f"antiphon: {livekit_server.url} refuses the key devkey and its secret"


@pytest.fixture
def refused(
    programs: Programs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """`antiphon …` where no LiveKit server is known, in this process: it fails before it begins to
    work. What it says of that."""

    def refused(program: Path, *words: object) -> str:
        for name in os.environ.keys() - environment().keys():
            monkeypatch.delenv(name)
        assert cli.run([*map(str, words), str(program)]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        return said.err

    return refused


def ran(program: Path, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """`antiphon …`, to its end, where no LiveKit server is known."""
    return subprocess.run(
        [sys.executable, "-m", "antiphon", *map(str, words), str(program)],
        capture_output=True,
        text=True,
        env=environment() | variables,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", [["start"], ["dev"], ["connect", "--room", "r"]])
def test_missing_keys_are_named(
    tmp_path: Path, refused: Callable[..., str], words: list[str]
) -> None:
    assert refused(write(tmp_path), *words, "--url", "ws://127.0.0.1:1") == (
        "antiphon: LIVEKIT_API_KEY, LIVEKIT_API_SECRET must be set, or given as --url, --api-key "
        "and --api-secret: which LiveKit server is this for? (`console` needs none)\n"
    )


def test_a_room_that_cannot_be_reached_is_told_of(tmp_path: Path) -> None:
    there = ["--url", "ws://127.0.0.1:1", "--api-key", "k", "--api-secret", "s" * 32]
    done = ran(write(tmp_path), "connect", "--room", "far", *there)
    assert done.returncode == 1
    assert re.search("^antiphon: room far cannot be joined: Cannot connect", done.stderr, re.M)


def test_a_host_that_is_not_here_is_told_of(tmp_path: Path) -> None:
    there = ["--url", "ws://127.0.0.1:1", "--api-key", "k", "--api-secret", "s" * 32]
    done = ran(write(tmp_path), "start", *there, "--host", "192.0.2.1", "--port", 0)
    assert done.returncode == 1
    assert "antiphon: the worker cannot show its health" in done.stderr.splitlines()[-1]


def test_a_port_that_is_taken_is_told_of(tmp_path: Path) -> None:
    there = ["--url", "ws://127.0.0.1:1", "--api-key", "k", "--api-secret", "s" * 32]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = ran(write(tmp_path), "start", *there, "--port", taken.getsockname()[1])
    assert done.returncode == 1
    assert "antiphon: the worker cannot show its health" in done.stderr.splitlines()[-1]
    assert "--host and --port say where else" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LIVEKIT_LOG_LEVEL", "loud", "antiphon: there is no log level LOUD; there is TRACE, "),
        ("ANTIPHON_REDISPATCH", "often", "argument --redispatch: invalid int value: 'often'"),
    ],
)
def test_a_variable_that_makes_no_sense_is_told_of(
    tmp_path: Path, variable: str, value: str, said: str
) -> None:
    there = ["--url", "ws://127.0.0.1:1", "--api-key", "k", "--api-secret", "s" * 32]
    done = ran(write(tmp_path), "start", *there, **{variable: value})
    assert done.returncode in (1, 2)
    assert said in done.stderr


def test_a_program_that_cannot_be_loaded_says_why(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    program = tmp_path / "broken.py"
    program.write_text("import nothing_of_this_name")
    why = "antiphon: broken.py could not be loaded: ModuleNotFoundError"
    assert refused(program, "start").startswith(why)


def test_a_program_without_an_entry_point_says_so(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    program = tmp_path / "empty.py"
    program.write_text("from antiphon import AgentServer\nserver = AgentServer()")
    assert "the AgentServer has no entry point" in refused(program, "start")


def test_a_journal_where_none_can_be_is_told_of(tmp_path: Path) -> None:
    there = ["--url", "ws://127.0.0.1:1", "--api-key", "k", "--api-secret", "s" * 32]
    done = ran(write(tmp_path), "start", *there, "--journal", tmp_path / "none" / "calls.jsonl")
    assert done.returncode == 1
    assert done.stderr.startswith("antiphon: the journal ")


PLUGIN = """
from antiphon.plugin import Plugin


class Ears(Plugin):
    def download_files(self):
        {body}


Plugin.register_plugin(Ears("ears", "1.0", "antiphon-plugins-ears"))
"""


@pytest.mark.parametrize("own", [False, True])
def test_download_files_has_the_programs_plugins_fetch_what_they_need(
    tmp_path: Path, own: bool
) -> None:
    fetched = tmp_path / "model"
    body = f"Path({str(fetched)!r}).write_text('fetched')"
    program = write(tmp_path, before=PLUGIN.format(body=body), after=GUARDED)
    words = [program, "download-files"] if own else ["-m", "antiphon", "download-files", program]
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert fetched.read_text() == "fetched"
    assert "antiphon-plugins-ears" in done.stderr


def test_a_plugin_whose_files_cannot_be_had_is_named(tmp_path: Path) -> None:
    body = 'raise ConnectionError("there is no network")'
    done = ran(write(tmp_path, before=PLUGIN.format(body=body)), "download-files")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "the files of antiphon-plugins-ears cannot be had: ConnectionError" in last
