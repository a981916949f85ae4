"""Where a growing text may be broken: each word is judged once, when its successor is known.

A settled break never changes, whatever arrives later, and does not depend on how the text was cut
into tokens. The one or two breaks at the very end of the text are provisional: they carry a
patience, and are judged again when more text comes. Offsets and sizes count from the beginning of
the segment, so that taking text from the front moves nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from antiphon.pipeline.sentence_ends import (
    UNKNOWN,
    Grade,
    Verdict,
    attaches,
    judge,
    opens_item,
)
from antiphon.pipeline.words import Token, breath, joined, speakable, token_at, unmarked

# Characters: a word with the signs that hang on it, or a line, longer than this is not followed.
_LONGEST_WORD = 200
_LONGEST_LINE = 2000
FAR = 200.0  # words: further ahead no chunk looks, by far


class Break(NamedTuple):
    """A place to stop: `end` in characters, `size` in words, both from the segment's beginning."""

    end: int
    size: float
    grade: Grade
    patience: float


class Breaks:
    """The breaks of one segment's text, found as it arrives.

    Text is judged by `settle`, when somebody asks: tokens that come together are judged together,
    and no further than `FAR` words, so that a book that comes at once costs no more than its pages.
    Mutable state: the text not yet taken, which begins at `begin`; how far it has been judged and
    whether there is more, and whether any may follow; the line up to there and whether a sentence
    begins there.
    """

    def __init__(self) -> None:
        self.text = ""
        self.settled: list[Break] = []
        self.provisional: list[Break] = []
        self.begin = 0
        self.size = 0.0  # words up to `begin`
        self.reach = 0.0  # words up to the end of the text, the last one perhaps incomplete
        self._judged = 0
        self._grown = False
        self._final = False
        self._sized = 0.0
        self._line = ""
        self._fresh = True

    def feed(self, text: str) -> None:
        """Add text to the end; `settle` before the breaks are read."""
        self.text += text
        self._grown, self._final = True, False

    def settle(self) -> None:
        """Judge the text that came since the last time."""
        if self._grown:
            self._scan()

    def close(self) -> None:
        """Judge what is left: nothing follows it."""
        self._final = True
        self._scan()

    def take(self, end: int) -> str:
        """Remove and return the text up to `end`."""
        known = [b for b in (*self.settled, *self.provisional) if b.end <= end]
        taken, self.text = self.text[: end - self.begin], self.text[end - self.begin :]
        if end > self._judged:
            rest = taken[self._judged - self.begin :]
            self._sized = known[-1].size if known else self.reach
            grade = known[-1].grade if known else Grade.SENTENCE
            self._pass(rest, grade, rest.rstrip())
            self._judged = end

        self.begin = end
        self.size = max([self.size, *(b.size for b in known[-1:])])
        self.settled = [b for b in self.settled if b.end > end]
        self.provisional = [b for b in self.provisional if b.end > end]
        return taken

    def _scan(self) -> None:
        self._grown = False
        self.provisional.clear()
        self.reach = self._sized
        at = self._judged - self.begin
        first = token_at(self.text, at)
        while first is not None:
            if self.reach - self.size > FAR:
                self._grown = True
                return
            self._notice_new_line(self.text[at : first.begin])
            token, following = self._with_its_signs(first)
            if not self._final and (following is None or not self._whole(following)):
                self._provide(token, following)
                return

            found, core = self._judge(token, self._what_follows(following))
            self.settled.append(found)
            self._judged, self._sized, self.reach = found.end, found.size, found.size
            self._pass(self.text[at : token.stop], found.grade, core)
            at, first = token.stop, following

    def _provide(self, token: Token, following: Token | None) -> None:
        found, core = self._judge(token, self._what_follows(following))
        self.provisional.append(found)
        self.reach = found.size
        if following is None:
            return

        if following.stop == following.end and self.text[-1].isalnum():
            self.reach += _size(self._word(following))
            return  # in the middle of a word

        fresh = opens_item(core, found.grade) or "\n" in self.text[token.end : token.stop]
        line = self._next_line(self.text[token.begin : token.stop])
        last, _ = self._judge(following, None, line=line, fresh=fresh, size=found.size)
        self.provisional.append(last)
        self.reach = last.size

    def _judge(
        self,
        token: Token,
        after: str | None,
        *,
        line: str | None = None,
        fresh: bool | None = None,
        size: float | None = None,
    ) -> tuple[Break, str]:
        word = self._word(token)
        space = self.text[token.end : token.stop]
        line = self._line if line is None else line
        verdict: Verdict = judge(word, space, after, line, self._fresh if fresh is None else fresh)
        if joined(self.text, token.stop):
            verdict = UNKNOWN

        size = (self._sized if size is None else size) + _size(word)
        return Break(self.begin + token.stop, size, *verdict), word

    def _with_its_signs(self, token: Token) -> tuple[Token, Token | None]:
        # "Quoi ?", "Great! 🎉" and "word — word": what cannot be spoken stays with what can.
        following = token_at(self.text, token.stop)
        while following is not None and following.end - token.begin < _LONGEST_WORD:
            word = self._word(following)
            if word.isalpha():
                break

            same_line = "\n" not in self.text[token.end : token.stop]
            if not (same_line and (not word or attaches(word, not speakable(word)))):
                break

            token = Token(token.begin, following.end, following.stop)
            following = token_at(self.text, token.stop)

        return token, following

    def _whole(self, token: Token) -> bool:
        return token.stop > token.end or token.stop < len(self.text)

    def _what_follows(self, token: Token | None) -> str | None:
        if token is None:
            return None

        # One ideograph more: a Chinese connective has two.
        more = token.stop == token.end and token.end - token.begin == 1
        return unmarked(self.text[token.begin : token.end + more])

    def _word(self, token: Token) -> str:
        """Without marks; nothing, where marks stand alone."""
        return unmarked(self.text[token.begin : token.end])

    def _pass(self, text: str, grade: Grade, word: str = "") -> None:
        self._fresh = opens_item(word, grade) or "\n" in text
        self._line = self._next_line(text)

    def _next_line(self, text: str) -> str:
        if "\n" in text:
            return text[text.rindex("\n") + 1 :]

        # Without its end a line still says whether it is an item.
        return self._line + text if len(self._line) < _LONGEST_LINE else self._line[:9]

    def _notice_new_line(self, space: str) -> None:
        if "\n" in space:
            self._line, self._fresh = "", True


def _size(word: str) -> float:
    return breath(word) if word.isalpha() else sum(map(breath, word.split()))
