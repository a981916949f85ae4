"""A real terminal for a program: a pane of tmux, which is looked at and typed into."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Ctrl-C is for the command, and not for the shell around it.
HELD: Final = (
    "trap : INT; stty -a >before; {command}; status=$?; stty -a >after; "
    "echo status $status; exec sleep 1000"
)


class Pane:
    """Mutable state: the server of one pane, and the program in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._socket = folder / "tmux"

    def run(self, *command: object, columns: int = 80, rows: int = 24) -> None:
        """Run a command of this Python's in a pane, in `folder`; the terminal's modes are kept."""
        said = " ".join(shlex.quote(str(word)) for word in (sys.executable, *command))
        shell = shlex.quote(HELD.format(command=said))
        size = ("-x", str(columns), "-y", str(rows), "-c", str(self.folder))
        self.tmux("-f", "/dev/null", "new-session", "-d", *size, f"sh -c {shell}")

    def keys(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self.tmux("send-keys", *keys)

    def picture(self, *, styled: bool = False) -> str:
        """What is on it now, with its escape sequences when `styled`."""
        return self.tmux("capture-pane", "-p", *(["-e"] if styled else []))

    def until(self, true: Callable[[str], bool], *, styled: bool = False) -> str:
        """The picture, once it is such; the test's time limit ends a wait in vain."""
        while True:
            picture = self.picture(styled=styled)
            if true(picture):
                return picture
            time.sleep(0.05)

    def sees(self, *texts: str) -> str:
        """The picture, once all of them are on it."""
        return self.until(lambda picture: all(text in picture for text in texts))

    @property
    def restored(self) -> bool:
        """The terminal is as it was: its modes, the cursor, and what was there before."""
        before, after = ((self.folder / name).read_text() for name in ("before", "after"))
        flags = "#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{wrap_flag}"
        return before == after and self.tmux("display-message", "-p", flags).split() == [*"0101"]

    def tmux(self, *arguments: str) -> str:
        """Ask this server."""
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "LC_ALL": "C.UTF-8"}
        command = ["tmux", "-u", "-S", str(self._socket), *arguments]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return ran.stdout


@pytest.fixture
def pane(tmp_path: Path) -> Iterator[Pane]:
    """A pane, which is gone after the test."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux missing: apt install tmux")
    found = Pane(tmp_path)
    yield found
    print(found.picture())  # noqa: T201  # shown when the test has failed
    found.tmux("kill-server")
