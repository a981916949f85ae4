"""A terminal that takes nothing more, or is gone: the call goes on without it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLERS = Path(__file__).parents[2] / "samples" / "callers"
SAMPLE = Path(__file__).parents[2] / "samples" / "interruptions.py"


class Far:
    """A console at the far end of a line. Mutable state: what came from it."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.end, there = pty.openpty()
        self.seen = b""
        command = [sys.executable, "-m", "antiphon", "console", str(SAMPLE), "--out", "out"]
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdin=there,
            stdout=there,
            stderr=there,
            cwd=folder,
            env={**environment, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(there)

    def read(self, until: Callable[[], bool]) -> None:
        """Take what comes; the test's time limit ends a wait in vain."""
        while not until():
            try:
                self.seen += os.read(self.end, 4096)
            except OSError:  # nobody holds the other end any more
                return


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Callable[..., Far]]:
    """Starts consoles, and ends them."""
    started: list[Far] = []

    def start(*arguments: object) -> Far:
        started.append(Far(tmp_path, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        if each.end >= 0:
            os.close(each.end)


@pytest.mark.timeout(120)
def test_a_call_goes_on_when_its_terminal_takes_nothing_more(
    far: Callable[..., Far], tmp_path: Path
) -> None:
    console = far("--wav", CALLERS / "hesitates.wav")
    console.read(lambda: b"esc" in console.seen)
    timeline = tmp_path / "out" / "timeline.jsonl"
    while "session_closed" not in timeline.read_text():  # nothing is read of it meanwhile
        time.sleep(0.05)
    console.read(lambda: False)

    assert console.process.wait() == 0
    assert b"the record is in out" in console.seen


@pytest.mark.timeout(60)
def test_a_call_whose_terminal_is_gone_ends_with_its_record(
    far: Callable[..., Far], tmp_path: Path
) -> None:
    console = far("--text")
    console.read(lambda: b"esc" in console.seen)
    os.close(console.end)
    console.end = -1
    console.process.send_signal(signal.SIGHUP)  # it was not the terminal of this session

    assert console.process.wait() == 128 + signal.SIGHUP
    assert "session_closed" in (tmp_path / "out" / "timeline.jsonl").read_text()
