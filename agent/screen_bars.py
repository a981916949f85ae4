"""A delay as a bar: one length of colour for each part, on a scale that all bars share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

FULL: Final = 2.0  # seconds of the longest bar, unless a delay is longer: that one fills it
EIGHTHS: Final = " ▏▎▍▌▋▊▉█"

# The parts of `pipeline.timeline`, as they are named on a screen, and their colours.
PARTS: Final = {
    "recognition": ("recognition", "#7e9cd8"),
    "endpointing": ("decision", "#957fb8"),
    "hook": ("hook", "#b98a6f"),
    "tools": ("tools", "#d27e99"),
    "model": ("first token", "#e6c384"),
    "chunk": ("first sentence", "#98bb6c"),
    "voice": ("first sound", "#6fb1a8"),
    "floor": ("floor", "#8a8d98"),
}


def bar(parts: dict[str, float], width: int) -> Text:
    """At most `width` cells; every part that took any time can be seen, to an eighth of a cell."""
    per_second = 8 * width / max(FULL, sum(parts.values()))
    drawn: list[tuple[int, int, str]] = []  # from, to (in eighths), colour
    reached, end = 0.0, 0
    for name, seconds in parts.items():
        if seconds > 0:
            reached += seconds
            start, end = end, min(max(round(reached * per_second), end + 1), 8 * width)
            drawn.append((start, end, _colour(name)))
    text = Text()
    for cell in range(0, end, 8):
        there = [part for part in drawn if part[0] < cell + 8 and part[1] > cell]
        text.append(*_cell(cell, there))
    return text


def _cell(at: int, parts: Sequence[tuple[int, int, str]]) -> tuple[str, str]:
    """The cell from eighth `at` on: a character and its style have room for two colours."""
    (_, first, colour), (_, last, behind) = parts[0], parts[-1]
    if last < at + 8:  # the bar ends in it
        longest = max(parts, key=lambda part: part[1] - max(part[0], at))
        return EIGHTHS[last - at], longest[2]
    if first >= at + 8:
        return EIGHTHS[8], colour
    return EIGHTHS[first - at], f"{colour} on {behind}"


def legend(parts: dict[str, float]) -> list[Text]:
    """Each part that took any time, in its colour, with its seconds."""
    said = []
    for part, seconds in parts.items():
        if seconds > 0:
            name = PARTS[part][0] if part in PARTS else part
            said.append(Text.assemble((name, _colour(part)), (f" {seconds:.3f}", "#7a8190")))
    return said


def _colour(part: str) -> str:
    return PARTS[part][1] if part in PARTS else "#8a8d98"
