"""A call on a screen that is drawn in memory, with keys pressed by Textual's own test driver."""

from __future__ import annotations

import asyncio
import html
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from textual import events
from textual._context import active_app
from textual.pilot import Pilot

from antiphon.call import Call, Ending
from antiphon.console import Console
from antiphon.line import Line
from antiphon.program import load
from antiphon.record import CallRecord
from antiphon.screen_terminal import TerminalScreen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


TEXT: Final = r'<text class="[^"]*-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)'
WIDTH: Final = 12.2  # of a cell, in Textual's pictures


class Sitting:
    """Somebody in front of the screen of a call."""

    def __init__(self, screen: TerminalScreen) -> None:
        self.screen = screen

    async def press(self, *keys: str) -> None:
        assert self.screen.app is not None
        await Pilot(self.screen.app).press(*keys)

    async def write(self, line: str) -> None:
        """Paste a line, and send it: after each key the driver waits for the process to be idle."""
        assert self.screen.app is not None
        self.screen.app.post_message(events.Paste(line))
        await self.press("enter")

    async def resize(self, columns: int, rows: int) -> None:
        assert self.screen.app is not None
        await Pilot(self.screen.app).resize_terminal(columns, rows)

    async def sees(self, *texts: str) -> None:
        """Wait until all of them are on the screen; the test's time limit ends a wait in vain."""
        await self.until(lambda: all(text in self.picture() for text in texts))

    async def until(self, true: Callable[[], bool]) -> None:
        while True:
            if true():
                return
            await asyncio.sleep(0.05)

    def picture(self) -> str:
        """The rows of the screen, as text."""
        if self.screen.app is None or not self.screen.app.is_running:
            return ""
        svg = self.screen.app.export_screenshot()
        rows: dict[str, str] = {}
        for x, y, text in re.findall(TEXT, svg):
            rows[y] = rows.get(y, "").ljust(round(float(x) / WIDTH)) + html.unescape(text).rstrip()
        return "\n".join(rows.values()).replace("\xa0", " ")


async def sit(
    program: Path,
    act: Callable[[Sitting], Awaitable[None]],
    *,
    line: Line | None = None,
    size: tuple[int, int] = (80, 24),
    out: Path | None = None,
    leave: str = "ctrl+q",
    ready: bool = True,
) -> tuple[Ending, TerminalScreen]:
    """Hold a call, do `act` at its screen, and leave by a key; when `act` fails, the call ends.

    Before `act`, the session is waited for; when not `ready`, only the program's first word.
    """
    screen = TerminalScreen(size)
    line = line or Line(text=True)
    record = CallRecord(out, sound=not line.text) if out is not None else None
    console = Console(Call(load(program), program, line, screen, record))
    sitting = Sitting(screen)

    async def acting() -> None:
        try:
            turns = screen.turns
            await sitting.until(
                lambda: turns.agent_is != "initializing" if ready else bool(turns.blocks)
            )
            assert screen.app is not None
            active_app.set(screen.app)  # some of what is drawn asks for it, whoever has it drawn
            await act(sitting)
        except BaseException:
            print(sitting.picture())  # noqa: T201
            console.end(Ending(1))
            raise
        with suppress(asyncio.CancelledError):  # the call ends, and everything in its loop
            await sitting.press(leave)

    done = asyncio.create_task(acting())
    try:
        ending = await console.hold()
        await done
    finally:
        if record is not None:
            record.close()
    return ending, screen
