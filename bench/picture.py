"""Makes samples/pictures/console.svg: the console's screen near the end of a real call.

python -m bench.picture [FILE.svg [COLUMNS ROWS]]
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.call import Call
from antiphon.console import Console
from antiphon.line import Line
from antiphon.nodes.callers import FRAME, RATE
from antiphon.nodes.wav import open_wav
from antiphon.program import load
from antiphon.screen_terminal import TerminalScreen

if TYPE_CHECKING:
    from antiphon.pipeline import timeline

SAMPLES = Path(__file__).parents[1] / "samples"
PROGRAM = SAMPLES / "interruptions.py"
CALLER = SAMPLES / "callers" / "interrupts.wav"
SAID = 1.8  # seconds of the last answer that are to be seen


class Drawn(TerminalScreen):
    """A screen that is drawn once, while the interruption is being answered.

    Mutable state: how many answers there were, and the picture.
    """

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__((columns, rows))
        self.svg = ""
        self._answers = 0

    def note(self, record: timeline.Record) -> None:
        super().note(record)
        self._answers += record.kind == "delay"
        if record.kind == "delay" and self._answers == 2:
            asyncio.get_running_loop().call_later(SAID, self._draw)

    def _draw(self) -> None:
        assert self.app is not None
        drawn = self.app.export_screenshot(title=f"antiphon console {PROGRAM.name}")
        self.svg = drawn.replace("<text ", '<text xml:space="preserve" ')  # not all keep spaces


async def picture(columns: int, rows: int) -> str:
    """Hold the call with the recorded caller."""
    screen = Drawn(columns, rows)
    line = Line((open_wav(CALLER, RATE, FRAME),))
    await Console(Call(load(PROGRAM), PROGRAM, line, screen, None)).hold()
    return screen.svg


def main() -> None:
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES / "pictures" / "console.svg"
    columns, rows = sys.argv[2:4] if len(sys.argv) > 3 else ("96", "30")
    svg = asyncio.run(picture(int(columns), int(rows)))
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")
    sys.stdout.write(f"{file}: {len(svg)} bytes\n")


if __name__ == "__main__":
    main()
