"""The terminal, taken for one screen alone: whatever else writes to it is read instead.

The program, its libraries, its child processes and even C code may write to standard output and
error at any time. While a screen has the terminal, both lead into a pipe. `give_back` puts
everything as it was, from a signal handler too, when nothing of the screen's runs any more.
"""

from __future__ import annotations

import codecs
import io
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if sys.platform != "win32":
    import termios

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

# Textual's own modes off: bracketed paste, kitty's keys, mouse, focus; wrapping and cursor on; the
# screen that was there before.
AS_IT_WAS: Final = (
    b"\x1b[?2004l\x1b[<u\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[?2048l"
    b"\x1b[?7h\x1b[?1049l\x1b[?25h\x1b[0m\r"
)
TAKEN_SIGNALS: Final = ("SIGTSTP", "SIGCONT", "SIGWINCH")  # by Textual's driver
PICTURE: Final = 4000  # characters, about, of a part of the screen that is drawn anew
DRAINED: Final = 0.2  # seconds that what was written last may take to be read


class Patient:
    """A file that takes whatever is written to it, and passes it on in a thread of its own.

    A terminal may take nothing for as long as it likes: a stopped screen, a lost connection.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._texts: queue.SimpleQueue[str | threading.Event | None] = queue.SimpleQueue()
        self._given = self._passed = 0  # characters; each is counted in one thread only
        self._thread = threading.Thread(target=self._pass_on, name="terminal", daemon=True)
        self._thread.start()

    @property
    def behind(self) -> int:
        """Characters that wait."""
        return self._given - self._passed

    def write(self, text: str) -> int:
        self._given += len(text)
        self._texts.put(text)
        return len(text)

    def flush(self) -> None:
        """The thread does."""

    def pass_on(self) -> None:
        """Wait a moment for what is left."""
        passed = threading.Event()
        self._texts.put(passed)
        passed.wait(DRAINED)

    def end(self) -> None:
        """The same, and take nothing more."""
        self._texts.put(None)
        self._thread.join(DRAINED)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def _pass_on(self) -> None:
        while (text := self._texts.get()) is not None:
            if isinstance(text, threading.Event):
                text.set()
                continue
            with suppress(OSError):  # nobody is there any more
                self._file.write(text)
                self._file.flush()
            self._passed += len(text)


class Keyboard(io.TextIOBase):
    """Standard input for the program, while a screen has the keyboard: at its end."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> str:
        self._say("  note   the program reads what is typed, which the screen does: use --plain")
        return ""

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]  # text, as in `io`
        return self.read(size)


class Terminal:
    """Mutable state: while it is taken, what standard output and error were, and who reads them."""

    def __init__(self, read: Callable[[str], None]) -> None:
        """`read` is called, in a thread of its own, with what was written."""
        self._read = read
        self._kept: dict[int, int] = {}  # a standard descriptor, and where it led
        self._modes: list[Any] = []
        self._file: Patient | None = None
        self._reader: threading.Thread | None = None
        self._signals: dict[int, Any] = {}
        self._streams = sys.__stdout__, sys.__stderr__

    @property
    def behind(self) -> bool:
        """It has not taken yet what was drawn last."""
        return self._file is not None and self._file.behind > PICTURE

    def take(self) -> None:
        """Have it alone; screens write to `sys.__stderr__`."""
        for name in TAKEN_SIGNALS:
            if (number := getattr(signal, name, None)) is not None:
                self._signals[number] = signal.getsignal(number)
        if sys.platform == "win32":
            return  # the console there is no file
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self._modes = termios.tcgetattr(0)
        self._kept = {number: os.dup(number) for number in (1, 2)}
        self._file = Patient(os.fdopen(os.dup(1), "w", encoding="utf-8"))
        self._streams = sys.__stdout__, sys.__stderr__
        sys.__stdout__ = sys.__stderr__ = self._file  # type: ignore[misc,assignment]  # Textual asks these
        end, begin = os.pipe()
        for number in self._kept:
            os.dup2(begin, number)
        os.close(begin)
        self._reader = threading.Thread(target=self._follow, args=(end,), daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """Stop the process, once the terminal has what was written last, until it is continued."""
        if self._file is not None:
            self._file.pass_on()
        restart = signal.signal(signal.SIGCONT, signal.SIG_DFL)  # Textual's: a screen begun twice
        os.kill(os.getpid(), signal.SIGSTOP)
        signal.signal(signal.SIGCONT, restart)

    def give_back(self) -> None:
        """Put back what was there; may be called again, and by a signal handler."""
        kept, self._kept = self._kept, {}
        if not kept:
            return
        with suppress(OSError):
            os.write(kept[1], AS_IT_WAS)
        if sys.platform != "win32":
            with suppress(termios.error):
                termios.tcsetattr(0, termios.TCSANOW, self._modes)
        for number, was in kept.items():
            with suppress(OSError):
                os.dup2(was, number)
                os.close(was)

    def let_go(self) -> None:
        """Give it back, when the screen itself has ended."""
        if self._file is not None:
            self._file.end()
        self.give_back()
        sys.__stdout__, sys.__stderr__ = self._streams  # type: ignore[misc]
        for number, handler in self._signals.items():
            signal.signal(number, handler)
        if self._reader is not None:
            self._reader.join(DRAINED)  # a child of the program's may hold the pipe for ever
        if self._file is not None and not self._file.behind:
            with suppress(OSError):
                self._file.close()

    def _follow(self, end: int) -> None:
        text = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                chunk = os.read(end, 65536)
            except OSError:
                return
            if not chunk:
                os.close(end)
                return
            self._read(text.decode(chunk))
