"""What a console shows, whichever way: in plain lines, or on a screen with a text line and keys.

Both read the session's timeline and what was heard of it; nothing asks them anything. Only what is
typed and pressed at a screen comes back, as wishes that the console fulfils.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from antiphon.nodes.bring import by_pip
from antiphon.screen_plain import PlainScreen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from livekit.agents import io

    from antiphon.nodes.wav import Samples
    from antiphon.pipeline import timeline


class Wish(Enum):
    """What a key asks for."""

    INTERRUPT = "interrupt"
    MUTE = "muted"
    TEXT_ONLY = "text only"
    HANG_UP = "quit"


class Screen(Protocol):
    """Where a call is shown."""

    typing: bool
    """It has a text line and keys of its own, and standard input is not read."""

    @property
    def captions(self) -> io.TextOutput:
        """Takes the agent's words as they are heard."""

    def shown(
        self, title: str, caller: str, *, microphone: bool
    ) -> AbstractAsyncContextManager[None]:
        """Within it, the call is on the screen."""

    def wishes(self) -> AsyncIterator[Wish | str]:
        """What is asked for by key, and the lines that are typed."""

    def notice(self, text: str) -> None:
        """A line of the console's own."""

    def user(self, text: str, at: float) -> None:
        """What the user has said, known `at` seconds after the session's start."""

    def typed(self, text: str, at: float) -> None:
        """What the user has typed."""

    def printed(self, text: str) -> None:
        """What the program prints."""

    def invite(self, inviting: bool) -> None:
        """Whether lines are read now."""

    def note(self, record: timeline.Record) -> None:
        """Something happened."""

    def stands(self, *, user: str = "", agent: str = "") -> None:
        """The state of either has changed."""

    def heard_user(self, samples: Samples) -> None:
        """A little more of the user's sound."""

    def heard_agent(self, pcm: memoryview) -> None:
        """A little more of the agent's."""

    def switched(self, wish: Wish, on: bool) -> None:
        """It is muted, or text only, from now on, or no longer."""

    def end_line(self) -> None:
        """Somebody else writes below."""


def chosen(*, plain: bool) -> Screen:
    """A real screen where there is a terminal at both ends, lines elsewhere and when `plain`."""
    if plain or not _terminal():
        return PlainScreen(sys.stdout)
    if importlib.util.find_spec("textual") is None:
        lines = PlainScreen(sys.stdout)
        lines.notice(f"plain lines; for a screen: {by_pip('antiphon[console]')}")
        return lines
    from antiphon.screen_terminal import TerminalScreen  # which takes a while to import

    return TerminalScreen()


def _terminal() -> bool:
    try:
        both = sys.stdin.isatty() and sys.stdout.isatty()
    except ValueError:  # one of them is closed
        return False
    dumb = os.environ.get("TERM", "dumb") == "dumb" and sys.platform != "win32"
    return both and not dumb and "utf" in (sys.stdout.encoding or "").lower()


class Printed:
    """Standard output for the program: the same, but that the screen knows what it prints."""

    def __init__(self, screen: Screen, out: TextIO) -> None:
        self._screen = screen
        self._out = out

    def write(self, text: str) -> int:
        self._screen.printed(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)
