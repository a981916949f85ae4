"""Words as a listener counts them: where they lie in a text, and what can be spoken at all.

Scripts that write spaces have one word between two spaces, marks included, so that
`text[:end]` of a word reads well. Chinese and Japanese characters count one by one, with the marks
that close on them; Thai, Lao, Khmer and Burmese count by cluster, the smallest piece that may be
parted from its neighbours. Cutting text for speech and telling what was heard both stand on this.
"""

import re
import unicodedata
from typing import NamedTuple

IDEOGRAPHIC = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003fffd"
)
UNSPACED = "\u0e01-\u0e3a\u0e40-\u0e5b\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff"
OPENING = "([{<«‹“‘„‚「『（【《〈〔¿¡\"'"
CLOSING = ")]}>»›”’」』）】》〉〕\"'"

# Of a private use area: what a voice is told between the words, and nobody reads. A mark is part of
# the word that follows it; those of the second range are heard, and count as words themselves.
MARKS = "\U000f0000", "\U000f7fff"
HEARD_MARKS = "\U000f8000", "\U000ffffd"
_MARK = re.compile(f"[{MARKS[0]}-{HEARD_MARKS[1]}]")

# What may follow an ideograph without beginning a new word: small kana, marks, closing signs.
_SMALL_KANA = "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヶー々"
_COMBINING = "\u0300-\u036f\u200d\u3099\u309a\ufe00-\ufe0f\U000e0100-\U000e01ef"
_AFTER = re.escape(CLOSING) + "、。，．！？；：…—～・｡､,.!?;:*\u200b"
# Vowels written before their consonant, signs written after it, and the two that stack the next.
_UNSPACED_LEAD = "\u0e40-\u0e44\u0ec0-\u0ec4"
_UNSPACED_SIGNS = (
    "\u0e30-\u0e3a\u0e45-\u0e4e\u0eb0-\u0ebc\u0ec6-\u0ece"
    "\u102b-\u103e\u1056-\u1059\u17b4-\u17d3\u17dd"
)

# Longest run without a space that is one word: a very long address, not a wall of letters.
LONGEST_RUN = 120

_TOKEN = re.compile(
    rf"(?P<ideographic>[{re.escape(OPENING)}]*[{IDEOGRAPHIC}][{_SMALL_KANA}{_COMBINING}]*[{_AFTER}]*)"
    rf"|(?P<unspaced>[{_UNSPACED_LEAD}]?[{UNSPACED}]"
    rf"(?:[\u1039\u17d2][{UNSPACED}]|[{_UNSPACED_SIGNS}{_COMBINING}])*[{_AFTER}]*)"
    rf"|(?P<run>[^\s{IDEOGRAPHIC}{UNSPACED}]{{1,{LONGEST_RUN}}})"
)
_PLAIN = re.compile(r"\s*+([A-Za-z']{1,40}[,.!?]?)\s++(?=[!-~])")
_SPACE = re.compile(r"\s*")
# A dash, an ellipsis or a full-width mark parts two words though no space does.
_PARTING = re.compile(
    rf"(?<=[\w.!?])(?:—+|…+|\.{{2,}}|--+|[。！？，、；：]+)[{re.escape(CLOSING)}*]*(?=\w)"
)
_SPEAKABLE = re.compile(
    rf"[^\W_]|[{'-'.join(HEARD_MARKS)}%&@°§©®™±×÷√∞≈≠≤≥$¢£¤¥֏؋৳฿៛₠-₿﷼＄％＆＠￠￡￥￦]"
)

_ZERO_WIDTH_JOINER = "\u200d"
_EXTENDING = frozenset({"Mn", "Me", "Mc"})


class Token(NamedTuple):
    """One word and the white space after it, as offsets: `begin` ≤ `end` ≤ `stop`."""

    begin: int
    end: int
    stop: int


def speakable(text: str) -> bool:
    """Whether a voice would say anything: a letter, a digit or a sign that has a name."""
    return _SPEAKABLE.search(text) is not None


def unmarked(text: str) -> str:
    """The text without its marks."""
    return text if text.isascii() else _MARK.sub("", text)


def words(text: str) -> list[tuple[int, int]]:
    """Spans of the words of `text`, with the marks that touch them and without white space."""
    spans = []
    at = 0
    while (token := token_at(text, at)) is not None:
        if speakable(text[token.begin : token.end]):
            spans.append((token.begin, token.end))

        at = token.stop

    return spans


def token_at(text: str, at: int) -> Token | None:
    """Find the first word at or after `at`, pronounceable or not; None when only space is left."""
    plain = _PLAIN.match(text, at)
    if plain is not None:  # most words of most texts, four times as fast
        return Token(plain.start(1), plain.end(1), plain.end())

    begin = _end_of_space(text, at)
    found = _TOKEN.match(text, begin)
    if found is None:
        return None

    end = found.end()
    if found.lastgroup == "run":
        parting = _PARTING.search(text, begin, end)
        if parting is not None:
            end = parting.end()

    end = _end_of_cluster(text, end)
    return Token(begin, end, _end_of_space(text, end))


def breath(word: str) -> float:
    """How long a word is to say, in plain words of a spaced script; a multiple of 0.25."""
    if word.isalpha() and word.isascii():
        return max(1.0, len(word) // 3 / 4)

    if not speakable(word):
        return 0.0

    found = _TOKEN.search(word)
    if found is not None and found.lastgroup == "ideographic":
        return 0.5

    if found is not None and found.lastgroup == "unspaced":
        return 0.25

    # Whole quarters add up without rounding, so that sums do not depend on where they begin.
    return max(1.0, len(word) // 3 / 4)


def joined(text: str, at: int) -> bool:
    """Whether the characters on both sides of `at` are one to a reader, so must not be parted."""
    if not 0 < at < len(text):
        return False

    left, right = text[at - 1], text[at]
    if left < "\u0300" and right < "\u0300":
        return left == "\r" and right == "\n"

    return (
        _ZERO_WIDTH_JOINER in (left, right)
        or unicodedata.category(right) in _EXTENDING
        or "\U0001f3fb" <= right <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= right <= "\U000e007f"  # tags, as in the flag of Scotland
        or ("\ud800" <= left <= "\udbff" and "\udc00" <= right <= "\udfff")
        or (_hangul_part(left) and "\u1160" <= right <= "\u11ff")
        or (_half_a_flag(left) and _half_a_flag(right) and _odd_half(text, at))
    )


def _end_of_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at


def _end_of_cluster(text: str, end: int) -> int:
    # Bounded, so that a storm of combining marks costs no more than a long word.
    for at in range(end, min(end + LONGEST_RUN, len(text))):
        if not joined(text, at):
            return at

    return min(end + LONGEST_RUN, len(text))


def _hangul_part(sign: str) -> bool:
    return "\u1100" <= sign <= "\u11ff" or "\uac00" <= sign <= "\ud7a3"


def _half_a_flag(sign: str) -> bool:
    return "\U0001f1e6" <= sign <= "\U0001f1ff"


def _odd_half(text: str, at: int) -> bool:
    begin = at
    while begin > 0 and _half_a_flag(text[begin - 1]) and at - begin < LONGEST_RUN:
        begin -= 1

    return (at - begin) % 2 == 1
