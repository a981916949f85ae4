"""What a voice is given to say, and which written word each spoken word belongs to.

An engine normalises what it reads: "$12.50" becomes five words, "Dr." loses its stop, an emoji
vanishes. Word times are useful only in terms of the *written* words, so a text is cut into pieces
(a word and the space after it) before an engine sees it, and every time an engine reports is
brought back to a piece. Joined together, the timed pieces are the text, character for character.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Chinese and Japanese write no spaces: there a piece is one character.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_PIECE = re.compile(rf"\s*(?:[{_UNSPACED}]|[^\s{_UNSPACED}]+)\s*")
_SENTENCE_END = re.compile(r"(?:(?:(?<=\w{3})|(?<=\d))[.]|[!?…])[\"'”’)\]]*\s+|[。！？]+\s*")
_CLAUSE_END = re.compile(r"[,;:—–]\s+|[、，；：]\s*")
_SPACE = re.compile(r"\s+")
_MARKDOWN = "*_`~"
_SPOKEN_SIGNS = frozenset("+=<>%&@#")
# Symbols (emoji), surrogates, private use, unassigned, and format characters such as joiners.
_SILENT = frozenset(("So", "Sk", "Cs", "Co", "Cn", "Cf", "Cc"))
_VARIATION_SELECTORS = frozenset("\ufe0e\ufe0f\u20e3")

FIRST_PORTION = 90
"""Characters: the first cut of a long text, so that its first sound does not wait for the rest."""
PORTION = 220
"""Characters: about 15 s of speech, all that is ever made in one go."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One piece's place in the sound, in seconds from the sound's beginning."""

    piece: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Timed:
    """A stretch of the written text (spaces included) and when it sounds, in seconds."""

    text: str
    start: float
    end: float


class Listener(Protocol):
    """Who hears an engine; called in the engine's thread."""

    def begin(self, marks: Sequence[Mark]) -> None:
        """Take every mark of what comes, before its first sound."""

    def hear(self, pcm: bytes) -> bool:
        """Take some 16-bit mono samples; False ends the utterance."""


class Script:
    """One portion of text, as it is written and as an engine is to read it.

    `spell` turns one written word into what the engine can read; "" when it cannot be spoken.
    """

    def __init__(self, text: str, spell: Callable[[str], str]) -> None:
        self.written = _PIECE.findall(text) or [text]
        self.words = [spell(bare(piece.strip())) for piece in self.written]
        self.spoken = ""
        self._starts: list[int] = []
        self._owners: list[int] = []

        for index, word in enumerate(self.words):
            if not word:
                continue
            if self._owners and not self._runs_on(self._owners[-1], index):
                self.spoken += " "
            self._starts.append(len(self.spoken))
            self._owners.append(index)
            self.spoken += word

    def __bool__(self) -> bool:
        """Whether there is anything to say aloud."""
        return any(c.isalnum() or c in _SPOKEN_SIGNS for c in self.spoken)

    def at(self, character: int) -> int:
        """Which piece the engine is reading at this character of `spoken`."""
        return self._owners[max(0, bisect_right(self._starts, character) - 1)]

    def groups(self) -> list[int]:
        """The piece of each run of `spoken` between two spaces, in order."""
        return [i for i, word in enumerate(self.words) for _ in word.split()]

    def timed(self, marks: Sequence[Mark]) -> list[Timed]:
        """Give every piece its time; a piece that got none shares its neighbour's.

        The starts never go back, and an unspeakable piece goes with the word before it.
        """
        times = {mark.piece: mark for mark in reversed(marks)}
        runs: list[tuple[Mark, list[int]]] = []
        early: list[int] = []

        for index in range(len(self.words)):
            if index in times:
                runs.append((times[index], [*early, index]))
                early = []
            elif runs:
                runs[-1][1].append(index)
            else:
                early.append(index)

        return [timed for mark, pieces in runs for timed in self._share(mark, pieces)]

    def _share(self, mark: Mark, pieces: list[int]) -> Iterator[Timed]:
        """Part one mark's time among its spoken pieces, by their length."""
        texts: list[str] = []
        weights: list[int] = []

        for index in pieces:
            weight = len(self.words[index]) if _sounds(self.words[index]) else 0
            if not texts or (weight and weights[-1]):
                texts.append(self.written[index])
                weights.append(weight)
            else:
                texts[-1] += self.written[index]
                weights[-1] += weight

        total, done = sum(weights) or 1, 0
        length = mark.end - mark.start

        for text, weight in zip(texts, weights, strict=True):
            start = mark.start + length * done / total
            done += weight
            yield Timed(text, start, mark.start + length * done / total)

    def _runs_on(self, before: int, after: int) -> bool:
        pair = self.written[before] + self.written[after]
        return re.fullmatch(rf"[{_UNSPACED}]+", pair) is not None


def bare(word: str) -> str:
    """A written word without emoji and Markdown; "" when nothing of it can be read aloud."""
    kept = "".join(
        c for c in word if unicodedata.category(c) not in _SILENT and c not in _VARIATION_SELECTORS
    )
    kept = kept.strip(_MARKDOWN).replace("_", "-")

    if _sounds(kept):
        return kept

    # A lone dash or comma is a breath, which any engine makes of a comma.
    return "," if kept and kept[0] in "-–—,;:" else ""


def portions(text: str) -> Iterator[str]:
    """Cut a long text where a reader would draw breath; joined, the portions are the text."""
    if len(text) > FIRST_PORTION * 1.3 and (cut := _cut(text, FIRST_PORTION)):
        yield text[:cut]
        text = text[cut:]

    while len(text) > PORTION * 1.3:
        cut = _cut(text, PORTION) or _last(_SPACE, text, 0, PORTION) or PORTION
        yield text[:cut]
        text = text[cut:]

    if text:
        yield text


def _cut(text: str, limit: int) -> int:
    return _last(_SENTENCE_END, text, limit // 8, limit) or _last(
        _CLAUSE_END, text, limit // 3, limit
    )


def _last(pattern: re.Pattern[str], text: str, shortest: int, longest: int) -> int:
    """Where the last match that begins within the bounds ends; 0 when there is none."""
    matches = pattern.finditer(text[: longest + 40])
    return max((m.end() for m in matches if shortest < m.start() <= longest), default=0)


def _sounds(word: str) -> bool:
    return any(
        c.isalnum() or c in _SPOKEN_SIGNS or unicodedata.category(c) in ("Sc", "Sm") for c in word
    )
