"""What a console calls things: the same in plain lines and on a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from antiphon.pipeline import timeline

USER: Final = "user"
AGENT: Final = "agent"
WENT_ON: Final = "a pause for nothing: it went on where it had stopped"
SEEN: Final = 0.0005  # seconds that count as any time

# The parts of a delay, by their names in `pipeline.timeline`.
PARTS: Final = {
    "recognition": "recognition",
    "endpointing": "decision",
    "hook": "hook",
    "tools": "tools",
    "model": "first token",
    "chunk": "first sentence",
    "voice": "first sound",
    "floor": "floor",
}


def took(parts: Mapping[str, float]) -> Iterator[tuple[str, str, str]]:
    """Each part of a delay that took any time: as in the timeline, its name here, its seconds."""
    for part, seconds in parts.items():
        if seconds >= SEEN:
            yield part, PARTS[part], f"{seconds:.3f}"


def stopping(voice: float, detection: float) -> str:
    """How soon a reply was silent, in seconds since both."""
    return (
        f"silent {voice:.2f} s after the {USER}'s voice began "
        f"({detection:.2f} s after it was noticed)"
    )


def paid(record: timeline.Record) -> str:
    """What a reply cost, in a line."""
    detail = record.detail
    parts = cast("dict[str, float]", detail["parts"])
    named = " + ".join(f"{name} {dollars:.4f}" for name, dollars in parts.items())
    line = f"cost ${detail['dollars']:.4f}" + (f" = {named}" if len(parts) > 1 else "")
    line += f", so far ${detail['so_far']:.4f}"
    unknown = cast("list[str]", detail["unknown"])
    return line + (f"; unknown: {', '.join(unknown)}" if unknown else "")
