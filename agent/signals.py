"""What Ctrl-C, a request to end and a lost terminal do to a command: one line and an exit status.

While a call is on, the first signal ends that call, and so its record is whole; a second one, or a
program that blocks the loop, ends the process at once, as does a signal before there is a call.
From the import of this package to the end of the process no traceback is shown for one: that import
takes a second, which is when one is likely to come.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SAID: Final = {signal.SIGINT: "interrupted", signal.SIGTERM: "asked to end (SIGTERM)"}
if sys.platform != "win32":
    SAID[signal.SIGHUP] = "the terminal is gone (SIGHUP)"
IN_ORDER_WITHIN: Final = 0.9  # seconds the end of a call may take after a signal


def status_of(number: int) -> int:
    """The exit status of a process that a signal has ended, as in a shell: 130 after Ctrl-C."""
    return 128 + number


_LAST: Final[list[Callable[[], object]]] = []  # what is to be done before the end


@contextmanager
def last(act: Callable[[], object]) -> Iterator[None]:
    """Within it, `act` is called before the process ends at once: it may be in any thread."""
    _LAST.append(act)
    try:
        yield
    finally:
        _LAST.remove(act)


def end_process(status: int, said: str = "") -> NoReturn:
    """End it, whatever it is doing; nothing of ours can fail in here."""
    for act in reversed(_LAST):
        with suppress(Exception):
            act()
    os.write(2, said.encode())
    os._exit(status)


def at_once(number: int, _: object = None) -> NoReturn:
    """End the process for a signal."""
    end_process(status_of(number), f"\nantiphon: {SAID[signal.Signals(number)]}\n")


def install(handler: Callable[[int, object], object]) -> dict[int, object]:
    """Have `handler` called; what was there before. A signal that is ignored stays so (nohup)."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    wanted = [number for number in SAID if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in wanted}


def leaving(status: int) -> None:
    """Nothing is left but to leave: a signal cannot make anything of it but that."""
    install(lambda *_: os._exit(status))


class Signals:
    """Mutable state: how to end the call that is on, and what watches over its end."""

    def __init__(self) -> None:
        self._end: Callable[[int, str], None] | None = None
        self._watchdog: threading.Timer | None = None

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Within it, signals end what there is to end."""
        before = install(self._received)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)  # type: ignore[arg-type]  # it came from there

    @contextmanager
    def ending(self, end: Callable[[int, str], None]) -> Iterator[None]:
        """Within it, the first signal calls `end(status, why)`."""
        self._end = end
        try:
            yield
        finally:
            self._end = None
            if self._watchdog is not None:
                self._watchdog.cancel()

    def _received(self, number: int, _: object) -> None:
        if self._end is None or self._watchdog is not None:
            at_once(number)
        self._watchdog = watchdog(IN_ORDER_WITHIN, status_of(number))
        self._watchdog.start()
        self._end(status_of(number), SAID[signal.Signals(number)])


def watchdog(seconds: float, status: int) -> threading.Timer:
    """Once started, it ends the process then, whatever holds it; the record is in its files."""
    timer = threading.Timer(seconds, end_process, (status,))
    timer.daemon = True
    return timer


def _is_a_command() -> bool:
    """This process is `antiphon …`, `python -m antiphon …` or `python FILE console …`.

    The process of a job has its parent's arguments, and is told by that one what a signal means.
    """
    # A process that multiprocessing has started has it; to import it is what would take longest.
    started_by = sys.modules.get("multiprocessing")
    if started_by is not None and started_by.parent_process() is not None:
        return False
    name = Path(sys.argv[0]).name if sys.argv else ""
    module = name == "-m" and "antiphon" in sys.orig_argv
    return name == "antiphon" or module or sys.argv[1:2] == ["console"]


if _is_a_command():
    install(at_once)
