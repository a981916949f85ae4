"""A delay as a bar: one length of colour for each part, on a scale that all bars share."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from antiphon.screen_names import took

FULL: Final = 2.0  # seconds of the longest bar, unless a delay is longer: that one fills it

COLOURS: Final = {
    "recognition": "#7e9cd8",
    "endpointing": "#957fb8",
    "hook": "#b98a6f",
    "tools": "#d27e99",
    "model": "#e6c384",
    "chunk": "#98bb6c",
    "voice": "#6fb1a8",
    "floor": "#8a8d98",
}


def bar(parts: dict[str, float], width: int) -> Text:
    """At most `width` cells, each in the colour of the part that ends in it or after it."""
    per_second = width / max(FULL, sum(parts.values()))
    text = Text()
    reached = 0.0
    for name, seconds in parts.items():
        reached += seconds
        text.append("━" * (round(reached * per_second) - len(text)), COLOURS[name])
    return text


def legend(parts: dict[str, float]) -> list[Text]:
    """Each part that took any time, in its colour, with its seconds."""
    return [
        Text.assemble((name, COLOURS[part]), (f" {seconds}", "#7a8190"))
        for part, name, seconds in took(parts)
    ]
