"""How fast a voice speaks, and so where the words of a text end when nobody says.

A text is measured in units of one letter: a digit is spoken as about four, a word costs one and a
half more, a comma is a rest of three, the end of a sentence one of six.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from antiphon.pipeline.words import unmarked, words

if TYPE_CHECKING:
    from collections.abc import Sequence


FASTEST: Final = 0.015  # seconds a unit: four times the usual pace, and
SLOWEST: Final = 0.24  # a quarter of it; what lies outside is no speech of that text


class Pace:
    """How fast the voice speaks, learnt from each text whose audio is complete.

    The first guess, 0.06 s a unit, is 15 letters a second: conversational English at about 170
    words a minute.
    """

    def __init__(self, seconds_per_unit: float = 0.06) -> None:
        self.seconds_per_unit = seconds_per_unit
        self.lead = 0.2  # seconds from a text handed to the voice to its first sample

    def learn_lead(self, seconds: float) -> None:
        """Take note that the voice needed `seconds` to begin."""
        self.lead = (self.lead + seconds) / 2

    def seconds(self, text: str) -> float:
        """How long `text` will take, as far as is known."""
        ends = unit_ends(text, words(text))
        return ends[-1] * self.seconds_per_unit if ends else 0.0

    def learn(self, text: str, seconds: float) -> None:
        """Take note that `text` took `seconds`; half the weight lies on the latest."""
        ends = unit_ends(text, words(text))
        if ends and SLOWEST >= seconds / ends[-1] >= FASTEST:
            self.seconds_per_unit = (self.seconds_per_unit + seconds / ends[-1]) / 2


_COMMAS: Final = frozenset(",;:、،，；：")
_STOPS: Final = frozenset(".!?。！？؟।…")
_CLOSING: Final = "\"'”’»)]}*_"


def unit_ends(text: str, spans: Sequence[tuple[int, int]]) -> list[float]:
    """Where each word (with the marks that touch it) ends, in units from the start of `text`."""
    ends: list[float] = []
    total = rest = 0.0
    for start, end in spans:
        word = unmarked(text[start:end])
        digits = sum(c.isdigit() for c in word)
        wide = sum(c > "\u2e80" for c in word)
        total += rest + letters(word) + 3 * digits + 2 * wide + 1.5
        ends.append(total)
        rest = _rest(word)
    return ends


def _rest(word: str) -> float:
    mark = word.rstrip(_CLOSING)[-1:]
    return 6.0 if mark in _STOPS else 3.0 if mark in _COMMAS else 0.0


def letters(text: str) -> int:
    """How many letters and digits there are."""
    return sum(map(str.isalnum, text))
