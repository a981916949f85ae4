"""Has the user finished? Pure functions of evidence; every time is anchored at the last voice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from antiphon.pipeline.words import IDEOGRAPHIC, UNSPACED, token_at

if TYPE_CHECKING:
    from antiphon.pipeline.observations import Score
    from antiphon.pipeline.turn_table import Rules

_MARKS: Final = re.compile(r"[^\w\s']|_")
_SIGN: Final = re.compile(f"([{IDEOGRAPHIC}{UNSPACED}])")


class Pauses:
    """The pauses that a user makes before going on, and how long to wait because of them.

    Mutable state: their exponential moving average; None while there was none.
    """

    def __init__(self) -> None:
        self._average: float | None = None

    def learn(self, pause: float, rules: Rules) -> None:
        """The user has gone on after so many seconds; one of more than `max_delay` parts turns."""
        if rules.memory is not None and 0.0 < pause <= rules.max_delay:
            self._average = rules.memory * self.delay(rules) + (1.0 - rules.memory) * pause

    def delay(self, rules: Rules) -> float:
        """The least delay: as configured, or longer for who pauses for longer."""
        if rules.memory is None or self._average is None:
            return rules.min_delay
        return min(max(self._average, rules.min_delay), rules.max_delay)


def patience(rules: Rules, score: Score | None, pauses: Pauses) -> float:
    """Seconds from the last voiced frame to the end of the turn.

    `score` is an end-of-turn model's, None without one; below its threshold the turn waits
    `max_delay`, as LiveKit documents it.
    """
    if score is not None and score.probability < score.threshold:
        return rules.max_delay
    return pauses.delay(rules)


def same_words(one: str, other: str) -> bool:
    """True when two transcripts differ in nothing but case, punctuation and spacing."""
    return plain_words(one) == plain_words(other)


def without_handed(text: str, handed: str) -> str:
    """What of a final transcript is new, when `handed` was already passed on from its interim.

    Only a final that *begins with* those words is shortened: when in doubt, words are repeated
    rather than lost.
    """
    if not handed:
        return text
    before = plain_words(handed)
    if not before or plain_words(text)[: len(before)] != before:
        return text

    seen: list[str] = []
    at = 0
    while seen != before and (token := token_at(text, at)) is not None:
        seen += plain_words(text[token.begin : token.end])
        at = token.stop
    return text[at:] if seen == before else text


def plain_words(text: str) -> list[str]:
    """The words of a transcript without case and marks; the signs of a script without spaces."""
    plain = _MARKS.sub(" ", text).lower()
    return (plain if plain.isascii() else _SIGN.sub(r" \1 ", plain)).split()
