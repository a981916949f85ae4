"""What is shown of an utterance while it is spoken: the words that the recogniser stands by.

Its first guesses at a word are wrong: "yes" is "you", "the" and "yeah" before it is "yes", half a
second later. Sound alone pauses a reply, and words cut it for good: so words may come late, and
must not be taken back.
"""

from __future__ import annotations

import math


class Interims:
    """One utterance: guesses in, what is news of them out. Times are seconds of its sound.

    Mutable state: the words of the last guess and since when each is in its place, and what was
    shown last.
    """

    # Of 38 acknowledgements by four voices, whose final words were right, none was shown as another
    # word after 0.32 s; 1 after 0.24 s, 2 after 0.2 s, 7 after 0.16 s, 32 when shown at once.
    STANDS = 0.32
    APART = 0.1  # between two that are shown, at least

    def __init__(self) -> None:
        self._words: list[tuple[str, float]] = []
        self._shown = ""
        self._shown_at = -math.inf

    @property
    def begun(self) -> bool:
        """There was a guess, which may have been wrong."""
        return bool(self._words)

    def news(self, guess: str, now: float) -> str:
        """The words that stand, when they are others than before; "" when there is nothing to show.

        A word stands when all guesses of `STANDS` seconds have it, and all words before it, in
        this place.
        """
        words = guess.split()
        if not words:
            return ""
        same = 0
        for word, (known, _) in zip(words, self._words, strict=False):
            if word != known:
                break
            same += 1
        self._words = self._words[:same] + [(word, now) for word in words[same:]]
        text = " ".join(word for word, since in self._words if now - since >= self.STANDS - 1e-6)
        if not text or text == self._shown or now - self._shown_at < self.APART - 1e-6:
            return ""
        self._shown, self._shown_at = text, now
        return text
