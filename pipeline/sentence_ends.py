"""How good a place the end of one word is to stop speaking: pure, one word at a time.

`judge` sees a word, the space after it, as much of the next word as has arrived and the line so
far, and gives a grade and, for the case that no more text arrives, how long to wait until the
grade may be trusted. A title is not a sentence however long nothing follows: its patience is
infinite. What the marks mean is in `sentence_marks`.
"""

import math
import re
from enum import IntEnum
from typing import NamedTuple

from antiphon.pipeline import sentence_marks as marks
from antiphon.pipeline.words import CLOSING, IDEOGRAPHIC, OPENING, UNSPACED

# Seconds. HOLD is what a plain end waits for a mark that belongs to it: tokens that come in one
# network packet are pushed within a millisecond. LONG_HOLD covers a model's pause after "U.S.".
HOLD = 0.003
LONG_HOLD = 0.25

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_SYMBOL_MARKER = re.compile(r"[-*+•◦▪‣–]|#{1,6}|>+|\||\(?[A-Za-z]\)|[a-h]\.|\d{1,3}\.\d{1,2}\.?")
_NUMBER_MARKER = re.compile(r"[*_(]*\d{1,3}[.)]|[①-⑳]")
_LISTED = re.compile(
    r"\s*(?:[-*+•◦▪‣]\s|#{1,6}\s|>|\||[①-⑳]|[*_(]*\d{1,3}[.)]\s|\(?[A-Za-z]\)\s|[a-h]\.\s)"
)
# What a mark may be followed by and still be the word's last: quotes, brackets, emphasis, emoji.
_TRIMMED = re.compile(r"(?:[^\w" + re.escape("".join(marks.STRONG | marks.CLAUSE)) + r".…\-–]|_)+$")
_ADDRESS = re.compile(r"://|^www\.|@|/\S*\.|\.\w+/", re.IGNORECASE)
_INITIALS = re.compile(r"(?:\w\.)+\w")
_SPACELESS = re.compile(rf"[{IDEOGRAPHIC}{UNSPACED}]")
_IDEOGRAPH = re.compile(rf"[{IDEOGRAPHIC}]")
_HIRAGANA = re.compile("[\u3041-\u309f]")
_PICTURE = re.compile("[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]")
_NO_BREAK = re.compile("[\u00a0\u202f\u2060]+")
_EMPHASIS_OPEN = re.compile(r"(?<![\w*.!?])[*_](?=[^\s*_])")
_EMPHASIS_CLOSE = re.compile(r"(?<=[\w.!?,;:)…])[*_](?![\w*_])")
_QUOTE_OPEN = re.compile(r"(?<!\w)'(?=\w)")
_QUOTE_CLOSE = re.compile(r"(?<=[\w.!?,])'(?!\w)")
_PAIRS = ("()", "[]", "“”", "«»", "「」", "『』", "（）", "《》")


class Grade(IntEnum):
    """How natural a stop is, worst first; NEVER is used only when a text offers nothing else."""

    NEVER = 0
    ANY = 1  # between two words that lean on each other, or inside a run without spaces
    WORD = 2
    PHRASE = 3  # before a preposition or a conjunction
    CLAUSE = 4
    SENTENCE = 5


class Verdict(NamedTuple):
    """A grade, and the seconds without more text after which it holds at the end of the text."""

    grade: Grade
    patience: float = HOLD


UNKNOWN = Verdict(Grade.NEVER, math.inf)


def judge(word: str, space: str, after: str | None, line: str, fresh: bool) -> Verdict:
    """Grade the end of `word`: `space` follows it, then `after` (None: nothing has arrived).

    `line` is the text line before the word, `fresh` says that a sentence or an item begins with it.
    """
    if word.isalpha() and word.isascii() and space in ("", " "):  # most words of most texts
        if after is None:
            return UNKNOWN
        verdict = _between_words(word, False, space, after) if space else _inside_a_run(word, after)
    elif _marker(word, line, fresh):
        return UNKNOWN
    elif _BLANK_LINE.search(space):
        return Verdict(Grade.SENTENCE)
    else:
        verdict = _by_mark(word, space, after, line)
        if "\n" in space:
            return _end_of_line(word, after, line, verdict)

    if verdict.grade > Grade.ANY and _in_markup(line + word):
        lower = Grade.CLAUSE if verdict.grade is Grade.SENTENCE else Grade.ANY
        return Verdict(lower, max(verdict.patience, LONG_HOLD))

    return verdict


def begins_line(text: str) -> bool:
    """Whether a line that begins so is a list item, a heading, a quotation or a table row."""
    return _LISTED.match(text + " ") is not None


def attaches(word: str, unspoken: bool) -> bool:
    """Whether a word belongs to the one before it: a parted mark ("Quoi ?"), an emoji, a dash."""
    return unspoken and not all(sign in OPENING or sign in "*_`#" for sign in word)


def opens_item(word: str, grade: Grade) -> bool:
    """Whether a number after this word counts items ("Two ways: 1. ...") and ends no sentence."""
    return grade is Grade.SENTENCE or word.endswith((":", "："))


def _marker(word: str, line: str, fresh: bool) -> bool:
    if fresh and _NUMBER_MARKER.fullmatch(word):
        return True

    at_start = not line.strip(" \t>*-•|")
    return at_start and _SYMBOL_MARKER.fullmatch(word) is not None


def _end_of_line(word: str, after: str | None, line: str, verdict: Verdict) -> Verdict:
    if begins_line(line + word) or (after is not None and begins_line(after)):
        return Verdict(Grade.SENTENCE)

    if after is None and verdict.grade < Grade.CLAUSE:
        return Verdict(Grade.CLAUSE, LONG_HOLD)

    return Verdict(max(verdict.grade, Grade.CLAUSE), min(verdict.patience, LONG_HOLD))


def _by_mark(word: str, space: str, after: str | None, line: str) -> Verdict:
    core = _TRIMMED.sub("", word)
    closed = any(sign in CLOSING for sign in word[len(core) :])
    mark = core[-1:]
    if mark in marks.STRONG:
        return _strong(core, closed, space, after, line + word)

    if core.endswith("..") or mark == marks.ELLIPSIS:
        lower = after is not None and not _first_letter(after).isupper()
        return Verdict(Grade.CLAUSE if lower else Grade.SENTENCE, LONG_HOLD)

    if mark == ".":
        return _full_stop(core, closed, space, after, line + word)

    if mark in marks.CLAUSE:
        return _clause(core, space, after)

    if mark and mark in marks.DASHES and core[-2:-1].isspace():
        return Verdict(Grade.CLAUSE, HOLD if space else math.inf)

    if space:
        return _between_words(word, closed, space, after)

    return _inside_a_run(word, after)


def _strong(core: str, closed: bool, space: str, after: str | None, line: str) -> Verdict:
    if after is None:
        doubtful = closed or (not space and (_ADDRESS.search(core) or _unclosed(line)))
        return Verdict(Grade.SENTENCE, LONG_HOLD if doubtful else HOLD)

    if not space and core[-1] in "!?":
        return Verdict(Grade.SENTENCE if _IDEOGRAPH.match(after) else Grade.ANY)

    reported = closed and (_first_letter(after).islower() or after.startswith(("と", "っ")))
    return Verdict(Grade.CLAUSE if reported else Grade.SENTENCE)


def _clause(core: str, space: str, after: str | None) -> Verdict:
    if core[-2:-1] == "." and core[:-2].lstrip(OPENING).lower() in marks.NEVER_LAST:
        return Verdict(Grade.ANY)  # "e.g., this"

    if space or core[-1] not in ",:":
        return Verdict(Grade.CLAUSE)

    if after is None:  # "1,000", "10:30" and "https:" go on without a space
        return Verdict(Grade.CLAUSE) if core[-2:-1].isalpha() and core[-1] == "," else UNKNOWN

    return Verdict(Grade.CLAUSE if _SPACELESS.match(after) else Grade.ANY)


def _full_stop(core: str, closed: bool, space: str, after: str | None, line: str) -> Verdict:
    name = core.split()[-1][:-1].lstrip(OPENING + "*_`")
    low = name.lower()
    if name in marks.TITLES or low in marks.NEVER_LAST:
        return UNKNOWN

    initial = len(name) == 1 and name.lower() != name.upper() and name != "I"
    short = initial or low in marks.SOMETIMES_LAST or _INITIALS.fullmatch(name) is not None
    if after is None:
        plain = space or not name.isascii() or (name.isalpha() and low != "www")
        doubtful = closed or short or low in marks.BEFORE_NUMBER or not plain
        return Verdict(
            Grade.SENTENCE, LONG_HOLD if doubtful or (not space and _unclosed(line)) else HOLD
        )

    if not space:
        return Verdict(Grade.SENTENCE if _SPACELESS.match(after) else Grade.NEVER)

    following = after.strip(OPENING + CLOSING + ".,!?:;*_").lower()
    lower = _first_letter(after).islower()
    if low in marks.BEFORE_NUMBER and after[:1].isdigit():
        return UNKNOWN

    if name.isdigit() and len(name) < 3:  # a German ordinal: "3. Mai"
        month = following in marks.MONTHS
        return UNKNOWN if month else Verdict(Grade.SENTENCE, LONG_HOLD)

    if low in marks.CLOCK:
        goes_on = lower or following in marks.AFTER_CLOCK
        return Verdict(Grade.WORD if goes_on else Grade.SENTENCE, LONG_HOLD)

    if short:
        begins = after[:1].isupper() and following in marks.STARTERS
        doubt = Grade.WORD if lower and not initial else Grade.NEVER
        return Verdict(Grade.SENTENCE if begins else doubt, LONG_HOLD)

    return Verdict(Grade.CLAUSE if closed and lower else Grade.SENTENCE)


def _between_words(word: str, closed: bool, space: str, after: str | None) -> Verdict:
    if after is None or _NO_BREAK.fullmatch(space):
        return UNKNOWN

    last = word.rsplit(None, 1)[-1]
    if _SPACELESS.match(after) and _SPACELESS.search(last[-2:]):
        return Verdict(Grade.CLAUSE)

    before = last.strip(OPENING + CLOSING + "*_`").lower()
    if not before:
        return Verdict(Grade.NEVER)

    if _PICTURE.match(last[-1]) and _first_letter(after).isupper():
        return Verdict(Grade.CLAUSE)  # "Sounds good🎉 Let me check"

    if before in marks.LEANING or before[-1:].isdigit():
        return Verdict(Grade.ANY)

    if after.strip(OPENING + CLOSING + "*_.,").lower() in marks.CONNECTIVES:
        return Verdict(Grade.PHRASE)

    if before in marks.PRONOUNS:
        return Verdict(Grade.ANY)

    if (closed and word[-1] in ")]”»") or (
        len(before) > 1 and before.endswith(marks.KOREAN_ENDINGS)
    ):
        return Verdict(Grade.PHRASE)

    return Verdict(Grade.WORD)


def _inside_a_run(word: str, after: str | None) -> Verdict:
    if after is None or word[-1].isdigit() or after[0].isdigit():  # "3个", "第3"
        return UNKNOWN

    if word.endswith("\u200b"):  # Thai and Khmer writers mark words with it
        return Verdict(Grade.WORD)

    if not _IDEOGRAPH.match(after):
        left_out = _SPACELESS.search(word) is None
        return Verdict(Grade.NEVER if left_out and _ADDRESS.search(word) else Grade.ANY)

    if after[:2] in marks.CHINESE_CONNECTIVES:
        return Verdict(Grade.PHRASE)

    if not _HIRAGANA.match(word[-1]) or _HIRAGANA.match(after):
        return Verdict(Grade.ANY)

    return Verdict(Grade.PHRASE if word[-1] in marks.JAPANESE_PARTICLES else Grade.WORD)


def _in_markup(line: str) -> bool:
    # Bold, code and the text of a link are better spoken whole; a line ends them all.
    return (
        line.count("**") % 2 == 1 or line.count("`") % 2 == 1 or line.count("[") > line.count("]")
    )


def _unclosed(line: str) -> bool:
    """Whether a quotation, a bracket or an emphasis is open, so that a closing mark may follow."""
    if line.count('"') % 2 == 1 or line.count("**") % 2 == 1:
        return True

    if "„" in line:
        return line.count("„") > line.count("“") + line.count("”")

    return (
        any(line.count(pair[0]) > line.count(pair[1]) for pair in _PAIRS)
        or len(_EMPHASIS_OPEN.findall(line)) > len(_EMPHASIS_CLOSE.findall(line))
        or len(_QUOTE_OPEN.findall(line)) > len(_QUOTE_CLOSE.findall(line))
    )


def _first_letter(text: str) -> str:
    return text.lstrip(OPENING + "*_`¡¿ ")[:1]
