"""Makes console.svg: the console's screen at the end of a real call, with the recorded caller.

python samples/pictures/make.py [FILE.svg [COLUMNS ROWS]]
"""

import asyncio
import sys
from pathlib import Path

from antiphon.call import Call
from antiphon.console import Console
from antiphon.line import Line
from antiphon.nodes.callers import FRAME, RATE
from antiphon.nodes.wav import open_wav
from antiphon.program import load
from antiphon.screen_terminal import TerminalScreen
from antiphon.screen_turns import Turns, Who

HERE = Path(__file__).parent
PROGRAM = HERE.parent / "interruptions.py"
CALLER = HERE.parent / "callers" / "interrupts.wav"


def answered(turns: Turns) -> bool:
    """The interruption has been answered, and that is being said."""
    said = [block for block in turns.blocks if block.who is Who.AGENT]
    return len(said) == 2 and len(said[-1].text) > 20


async def draw(screen: TerminalScreen) -> str:
    """Wait for the moment, and draw it."""
    while not answered(screen.turns):
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.3)
    assert screen.app is not None
    return screen.app.export_screenshot(title=f"antiphon console {PROGRAM.name}")


async def picture(columns: int, rows: int) -> str:
    """Hold the call, and draw it shortly before its end."""
    screen = TerminalScreen((columns, rows))
    line = Line((open_wav(CALLER, RATE, FRAME),))
    drawing = asyncio.create_task(draw(screen))
    await Console(Call(load(PROGRAM), PROGRAM, line, screen, None)).hold()
    return drawing.result()


if __name__ == "__main__":
    file, columns, rows = (*sys.argv[1:], *("console.svg", "96", "30")[len(sys.argv) - 1 :])
    svg = asyncio.run(picture(int(columns), int(rows)))
    (HERE / file).write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")
    print(f"{HERE / file}: {len(svg)} bytes")
