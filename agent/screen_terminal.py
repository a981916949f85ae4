"""A screen on the terminal, with a text line and keys, built on Textual.

It lives in the session's own loop and draws from what it was told, at its own pace; the session
waits for nothing of it. When the call is over, the terminal is as it was, and the conversation
stands there in plain lines.
"""

from __future__ import annotations

import asyncio
import io as files
import os
import re
import shutil
import signal
import sys
import threading
from collections import deque
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from livekit.agents import io

# Both are read when Textual is imported. Ctrl-C is to be a signal, which comes through when the
# program blocks the loop; kitty's keys would make an ordinary key of it.
os.environ.setdefault("TEXTUAL_ALLOW_SIGNALS", "1")
os.environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")

from antiphon import signals
from antiphon.pipeline.left_behind import STRAYS
from antiphon.pipeline.streams import Scope, Stream
from antiphon.screen import Printed, Wish
from antiphon.screen_app import ConsoleApp
from antiphon.screen_plain import PlainScreen, tamed
from antiphon.screen_turns import Turns
from antiphon.terminal import Keyboard, Terminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import TextIO

    from antiphon.nodes.wav import Samples
    from antiphon.pipeline import timeline

PAINTED: Final = 5.0  # seconds the first picture may take
CLOSED: Final = 0.5  # seconds the screen may take to end
NOTICE: Final = re.compile(r"\s+(\w+)\s+(.*)", re.DOTALL)  # its label, and the rest


class Captions(io.TextOutput):
    """The agent's words, as they are heard, for two readers."""

    def __init__(self, turns: Turns, lines: PlainScreen) -> None:
        super().__init__(label="console", next_in_chain=None)
        self._turns = turns
        self._lines = lines

    async def capture_text(self, text: str) -> None:
        self._turns.words(text)
        await self._lines.capture_text(text)

    def flush(self) -> None:
        self._turns.silence()
        self._lines.flush()


class TerminalScreen:
    """Mutable state: the conversation, the same in plain lines, the picture of it while there is
    one, and the wishes that nobody has taken yet."""

    typing = True

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        """With a `size` there is a picture of it in memory, and no terminal."""
        self.turns = Turns()
        self.app: ConsoleApp | None = None
        self._size = size
        self._before = PlainScreen(sys.stdout)
        width = size[0] if size else shutil.get_terminal_size().columns
        self._buffer = files.StringIO()
        self._after = PlainScreen(self._buffer, width)  # what is left when it has closed
        self._lines = self._before  # who has them now
        self._captions = Captions(self.turns, self._after)
        self._wishes: Stream[Wish | str] = Stream(100, name="wishes")
        self._terminal = Terminal(self.printed)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._waiting: deque[Callable[[], None]] = deque()  # what other threads want shown
        self._began: float | None = None

    @property
    def captions(self) -> io.TextOutput:
        return self._captions

    @asynccontextmanager
    async def shown(self, title: str, caller: str, *, microphone: bool) -> AsyncIterator[None]:
        """Within it, the terminal is a screen."""
        self._loop = loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        ready: asyncio.Future[None] = loop.create_future()
        self.app = app = ConsoleApp(
            self.turns,
            title,
            caller,
            microphone=microphone,
            wish=self._wish,
            seconds=self._seconds,
            ready=lambda: ready.set_result(None),
            behind=lambda: self._terminal.behind,
        )
        factory, streams = loop.get_task_factory(), (sys.stdin, sys.stdout, sys.stderr)
        with self._taken():
            async with Scope("screen", STRAYS.get()) as scope:
                run = app.run_async(headless=self._size is not None, size=self._size)
                running = scope.start("screen", run)
                first = asyncio.FIRST_COMPLETED
                await asyncio.wait([ready, running], timeout=PAINTED, return_when=first)
                loop.set_task_factory(factory)  # Textual sets another, from Python 3.12 on
                running.add_done_callback(lambda _: self._wish(Wish.HANG_UP))
                self._stop_by(loop)
                self._lines = self._after
                sys.stdin = cast("TextIO", Keyboard(self.notice))
                sys.stdout = sys.stderr = cast("TextIO", Printed(self, streams[1]))
                try:
                    yield
                finally:
                    app.exit()
                    await asyncio.wait([running], timeout=CLOSED)
        sys.stdin, sys.stdout, sys.stderr = streams
        self._catch_up()
        self._after.end_line()
        self._lines = self._before
        self._before.printed(self._buffer.getvalue())

    async def wishes(self) -> AsyncIterator[Wish | str]:
        """As they come."""
        async for wish in self._wishes:
            yield wish

    # What is shown.

    def notice(self, text: str) -> None:
        """A line of the console's own."""
        said = NOTICE.fullmatch(text)
        label, rest = said.groups() if said else ("", text)

        def show() -> None:
            self._lines.notice(text)
            self.turns.notice(label, rest)

        self._in_loop(show)

    def printed(self, text: str) -> None:
        """What the program prints."""

        def show() -> None:
            # What it does to a whole screen would be done when this one has closed.
            self._lines.printed(tamed(text, colours=True))
            self.turns.printed(text)

        self._in_loop(show)

    def user(self, text: str, at: float) -> None:
        """The screen itself has it from the timeline, like all that follows."""
        self._lines.user(text, at)

    def typed(self, text: str, at: float) -> None:
        self._lines.typed(text, at)

    def invite(self, inviting: bool) -> None:
        """The text line is always there."""

    def end_line(self) -> None:
        """Nobody else writes here."""

    def note(self, record: timeline.Record) -> None:
        """Something happened."""
        if self._began is None and self._loop is not None:
            self._began = self._loop.time() - record.t
        self._lines.note(record)
        self.turns.note(record)

    def stands(self, *, user: str = "", agent: str = "") -> None:
        """The state of either has changed."""
        self.turns.user_is = user or self.turns.user_is
        self.turns.agent_is = agent or self.turns.agent_is

    def heard_user(self, samples: Samples) -> None:
        """A little more of the user's sound."""
        self._hear(0, samples)

    def heard_agent(self, pcm: memoryview) -> None:
        """A little more of the agent's."""
        self._hear(1, np.frombuffer(pcm, np.int16))

    def switched(self, wish: Wish, on: bool) -> None:
        """It is muted, or text only, from now on, or no longer."""
        if self.app is not None:
            self.app.switched(wish, on)

    def _hear(self, side: int, samples: Samples) -> None:
        if self.app is not None and len(samples):
            square = np.mean(np.square(samples.astype(np.float32) / 32768.0))
            self.app.sides.levels[side].hear(float(square) ** 0.5)

    # What comes from elsewhere: keys, other threads, other writers.

    def _wish(self, wish: Wish | str) -> None:
        self._wishes.put_nowait(wish)

    def _seconds(self) -> float | None:
        """How long the call has lasted, if it has begun."""
        return (
            None if self._began is None or self._loop is None else self._loop.time() - self._began
        )

    def _in_loop(self, show: Callable[[], None]) -> None:
        if self._loop is None or threading.get_ident() == self._thread:
            show()
            return
        self._waiting.append(show)
        with suppress(RuntimeError):  # the loop is closed: it is shown at the end
            self._loop.call_soon_threadsafe(self._catch_up)

    def _catch_up(self) -> None:
        while self._waiting:
            self._waiting.popleft()()

    def _stop_by(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the loop, which draws, obey Ctrl-Z: a signal handler may interrupt a picture."""
        if self._size is None and (number := getattr(signal, "SIGTSTP", None)) is not None:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._stop))

    def _stop(self) -> None:
        if self.app is not None and self.app.is_running:
            with self.app.suspend():
                self._terminal.stop()

    def _leave_at_once(self) -> None:
        """The process ends: leave the terminal as at any other end."""
        self._terminal.give_back()
        os.write(1, self._buffer.getvalue().encode())

    @contextmanager
    def _taken(self) -> Iterator[None]:
        """Within it, the terminal is this screen's alone."""
        if self._size is not None:
            yield
            return
        try:
            with signals.last(self._leave_at_once):
                self._terminal.take()
                yield
        finally:
            self._terminal.let_go()
