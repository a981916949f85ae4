"""Blocks of a conversation as lines of a certain width: who, when, what, and what is below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from antiphon.screen_bars import bar, legend
from antiphon.screen_names import stopping
from antiphon.screen_plain import MARGIN, tamed
from antiphon.screen_turns import Block, Delay, Stop, Who

if TYPE_CHECKING:
    from rich.console import Console

NARROW: Final = 56  # cells below which no times are shown
DIM: Final = "#7a8190"
FAINT: Final = "#565c68"
USER: Final = "#7fb4ca"
AGENT: Final = "#a9c77d"
WARNING: Final = "#e6c384"
ERROR: Final = "#e46876"
WORDS: Final = "#d5d9e0"
COLOURS: Final = {Who.USER: USER, Who.AGENT: AGENT}
LONGEST_BAR: Final = 64  # cells
UNHEARD: Final = 24  # words that are shown of what was cut


def clock(seconds: float) -> str:
    """0:07, 12:34 or 1:02:03."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def lines(block: Block, width: int, console: Console) -> list[Text]:
    """The lines of a block, each at most `width` cells; none for one without words."""
    words = _words(block)
    if not words.plain.strip() and not block.below:
        return []
    gutter = _gutter(block, width)
    hanging = Text(" " * len(gutter))
    room = max(8, width - len(gutter) - 1)
    found = [*words.wrap(console, room)]
    for line in block.below:
        found += _below(line, room, console)
    whole = [(gutter if number == 0 else hanging) + line for number, line in enumerate(found)]
    if block.who in COLOURS:
        whole.insert(0, Text())
    return whole


def _gutter(block: Block, width: int) -> Text:
    name = block.label or block.who.value
    bold = " bold" if block.who in COLOURS else ""
    who = Text(f"{name:<5.5}  ", f"{COLOURS.get(block.who, FAINT)}{bold}")
    if block.label == "error":
        who.stylize(ERROR)
    if width < NARROW:
        return Text(" ") + who
    when = clock(block.at) if block.at is not None else ""
    return Text(f"{when:>6}  ", FAINT) + who


def _words(block: Block) -> Text:
    if block.who is Who.NOTE:
        return Text(tamed(block.text), ERROR if block.label == "error" else DIM)
    if block.who in (Who.PRINT, Who.TOOL):
        lines = block.text.strip("\r\n").expandtabs().split("\n")
        return _printed("\n".join(line.removeprefix(MARGIN) for line in lines))
    text = Text(" ".join(tamed(block.text).split()), WORDS)
    if block.interim:
        text.append(f"{' ' if text else ''}{tamed(block.interim)}", f"italic {DIM}")
    if block.unheard:
        text.append(f"{' ' if text else ''}")
        words = tamed(block.unheard).split()
        text.append(" ".join(words[:UNHEARD]), f"strike {DIM}")
        if len(words) > UNHEARD:
            text.append(f" … {len(words) - UNHEARD} words more", FAINT)
    elif block.interrupted:
        text.append(" —", DIM)
    return text


def _printed(text: str) -> Text:
    """In the program's own colours; the screen itself is not the program's to write on."""
    return Text.from_ansi(tamed(text.replace("\r", ""), colours=True), style=DIM)


def _below(line: Delay | Stop | str, room: int, console: Console) -> list[Text]:
    match line:
        case Delay(parts, total):
            said = f"  {total:.2f} s"
            drawn = bar(parts, min(LONGEST_BAR, room - len(said)))
            return [drawn + Text(said, WORDS), *_flowing(legend(parts), room)]
        case Stop(voice, detection):
            return [*Text(f"■ {stopping(voice, detection)}", WARNING).wrap(console, room)]
        case said:
            return [*Text(said, DIM).wrap(console, room)]


def _flowing(pieces: list[Text], room: int) -> list[Text]:
    """As many pieces in a line as there is room for; none is broken."""
    found: list[Text] = []
    for piece in pieces:
        if found and len(found[-1]) + 3 + len(piece) <= room:
            found[-1] = found[-1] + Text("  ") + piece
        else:
            found.append(piece)
    return found
