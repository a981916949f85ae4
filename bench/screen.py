"""What drawing costs: the same call in plain lines and on a screen, and how late its loop was.

python -m bench.screen

The screen is drawn in memory, at 120x40, as a terminal would have it. CPU is that of this process
(the recogniser has one of its own), as a share of one core while the call lasts. Lateness is that
of a timer every 5 ms in the loop that the session shares with the screen.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from typing import TYPE_CHECKING, Final

from antiphon.call import Call
from antiphon.console import Console
from antiphon.line import Line
from antiphon.nodes.callers import FRAME, RATE
from antiphon.nodes.wav import open_wav
from antiphon.program import load
from antiphon.screen_plain import PlainScreen
from antiphon.screen_terminal import TerminalScreen
from bench.picture import CALLER, PROGRAM

if TYPE_CHECKING:
    from antiphon.screen import Screen

EVERY: Final = 0.005  # seconds between two looks at the loop's clock


class Lateness:
    """Mutable state: how late each look was, in seconds, and whether it goes on."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._due = 0.0

    def look(self) -> None:
        """Look now, and again."""
        loop = asyncio.get_running_loop()
        if self._due:
            self.late.append(max(0.0, loop.time() - self._due))
        self._due = loop.time() + EVERY
        loop.call_at(self._due, self.look)

    def worst(self, share: float) -> float:
        """What a share of the looks was later than, in milliseconds."""
        return 1000 * sorted(self.late)[int(len(self.late) * (1 - share)) - 1]


async def measure(name: str, screen: Screen) -> str:
    """Hold the call, and say what it took."""
    late = Lateness()
    late.look()
    began, used = time.perf_counter(), time.process_time()
    line = Line((open_wav(CALLER, RATE, FRAME),))
    await Console(Call(load(PROGRAM), PROGRAM, line, screen, None)).hold()
    share = (time.process_time() - used) / (time.perf_counter() - began)
    worst = f"1 % later than {late.worst(0.01):.1f} ms, 0.1 % than {late.worst(0.001):.1f} ms"
    return f"{name:6}  CPU {share:6.1%}   loop: {worst}\n"


def main() -> None:
    out, sys.stdout = sys.stdout, io.StringIO()
    for _ in range(2):
        out.write(asyncio.run(measure("plain", PlainScreen(io.StringIO()))))
        out.write(asyncio.run(measure("screen", TerminalScreen((120, 40)))))
        out.flush()


if __name__ == "__main__":
    main()
