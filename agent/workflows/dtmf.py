"""Keys of a telephone."""

from __future__ import annotations

from enum import Enum


class DtmfEvent(str, Enum):  # noqa: UP042  # LiveKit's: its str() names the member
    ONE = "1"
    TWO = "2"
    THREE = "3"
    FOUR = "4"
    FIVE = "5"
    SIX = "6"
    SEVEN = "7"
    EIGHT = "8"
    NINE = "9"
    ZERO = "0"
    STAR = "*"
    POUND = "#"
    A = "A"
    B = "B"
    C = "C"
    D = "D"


def dtmf_event_to_code(event: DtmfEvent) -> int:
    """The number of the key in RFC 4733, section 3.2: 0-9, then *, #, A-D."""
    return "0123456789*#ABCD".index(event.value)


def format_dtmf(events: list[DtmfEvent]) -> str:
    """Keys as a text, with spaces between them."""
    return " ".join(event.value for event in events)
