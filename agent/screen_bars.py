"""A delay as a bar: one length of colour for each part, on a scale that all bars share."""

from __future__ import annotations

from typing import Final

from rich.text import Text

FULL: Final = 2.0  # seconds of the longest bar, unless a delay is longer: that one fills it
SEEN: Final = 0.0005  # seconds that count as any time
OTHER: Final = "#8a8d98"

# The parts of `pipeline.timeline`, as they are named on a screen, and their colours.
PARTS: Final = {
    "recognition": ("recognition", "#7e9cd8"),
    "endpointing": ("decision", "#957fb8"),
    "hook": ("hook", "#b98a6f"),
    "tools": ("tools", "#d27e99"),
    "model": ("first token", "#e6c384"),
    "chunk": ("first sentence", "#98bb6c"),
    "voice": ("first sound", "#6fb1a8"),
    "floor": ("floor", OTHER),
}


def bar(parts: dict[str, float], width: int) -> Text:
    """At most `width` cells, each in the colour of the part that ends in it or after it."""
    per_second = width / max(FULL, sum(parts.values()))
    text = Text()
    reached = 0.0
    for name, seconds in parts.items():
        reached += seconds
        text.append("━" * (round(reached * per_second) - len(text)), _colour(name))
    return text


def legend(parts: dict[str, float]) -> list[Text]:
    """Each part that took any time, in its colour, with its seconds."""
    said = []
    for part, seconds in parts.items():
        if seconds >= SEEN:
            name = PARTS[part][0] if part in PARTS else part
            said.append(Text.assemble((name, _colour(part)), (f" {seconds:.3f}", "#7a8190")))
    return said


def _colour(part: str) -> str:
    return PARTS[part][1] if part in PARTS else OTHER
