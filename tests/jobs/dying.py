"""What a worker does that is soon dead, as `test_journal.py` has it run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antiphon.journal import Call, Journal

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event
    from pathlib import Path


def begin(path: Path, *names: str) -> None:
    """Begin a call of each name; the one of the name `over` is over."""
    journal = Journal(path)
    for name in names:
        journal.began(Call(f"AJ_{name}", f"AD_{name}", f"room {name}", "ada", f"agent-{name}"))
    journal.over("AJ_over")


def begin_and_wait(began: Event, over: Event, path: Path, *names: str) -> None:
    begin(path, *names)
    began.set()
    over.wait()
