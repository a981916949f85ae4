"""Sums as people say them and as a recogniser hears them: "what's twelve times to plus 3"."""

from __future__ import annotations

import re
from fractions import Fraction

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_NUMBERS = {word: value for value, word in enumerate(_ONES)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_HEARD_AS = {
    "to": "two",
    "too": "two",
    "for": "four",
    "won": "one",
    "ate": "eight",
    "tree": "three",
}
"""What a recogniser writes for a number; believed only where a sum needs one."""
_OPERATORS = {
    "+": "+", "plus": "+", "add": "+", "added": "+", "-": "-", "minus": "-", "less": "-",
    "*": "*", "x": "*", "×": "*", "times": "*", "time": "*", "multiplied": "*", "multiply": "*",
    "/": "/", "÷": "/", "divided": "/", "divide": "/", "over": "/",
}  # fmt: skip
_VERBS = {
    "add": "+", "sum": "+", "multiply": "*", "product": "*", "divide": "/", "quotient": "/",
    "subtract": "-", "take": "-", "difference": "-",
}  # fmt: skip
"""Words that name the operation before the two numbers."""
_SPOKEN = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+|[+*/×÷-]")
_LONGEST_ANSWER = 10**15

Token = Fraction | str


def sum_of(text: str) -> str | None:
    """Answer the first sum in `text` in a sentence, or None when there is none."""
    tokens = _read(text)

    for start in range(len(tokens)):
        terms = _verb_first(tokens[start : start + 6]) or _sum_at(tokens, start)
        if len(terms) >= 3:
            return _answer(terms)

    return None


def numbers_in(text: str) -> list[Fraction]:
    """Every number said in `text`, in order, in words or in digits."""
    return [token for token in _read(text) if isinstance(token, Fraction)]


def spoken(value: Fraction) -> str:
    """A number as one would write it for a voice: whole, or to two decimals."""
    if value.denominator == 1:
        return str(value.numerator)

    return f"{float(value):.2f}".rstrip("0").rstrip(".")


def _read(text: str) -> list[Token]:
    """The words of a text, with each run of number words made into one number."""
    words = _TOKEN.findall(re.sub(r"(?<=\d),(?=\d{3})", "", text.lower().replace("'", "")))
    tokens: list[Token] = []
    position = 0

    while position < len(words):
        value, used = _number(words[position:])
        tokens.append(value if value is not None else words[position])
        position += max(1, used)

    return tokens


def _number(words: list[str]) -> tuple[Fraction | None, int]:
    """The number that `words` begin with, and how many words it takes."""
    if words[0][0].isdigit():
        return Fraction(words[0]), 1

    if words[0] == "a" and len(words) > 1 and words[1] in _SCALES:
        words = ["one", *words[1:]]

    total = group = 0
    last = 1_000
    used = 0

    for index, word in enumerate(words):
        if word in _NUMBERS and _follows(last, _NUMBERS[word]):
            group += _NUMBERS[word]
            last = _NUMBERS[word] or 1
        elif word == "hundred" and used and last < 100:
            group, last = group * 100, 100
        elif word in _SCALES and word != "hundred" and used:
            total, group, last = total + group * _SCALES[word], 0, 1_000
        elif word == "and" and used and last >= 100 and words[index + 1 : index + 2]:
            if words[index + 1] not in _NUMBERS:
                break
            continue
        else:
            break
        used = index + 1

    if not used:
        return None, 0

    decimals = _decimals(words[used:])
    return Fraction(f"{total + group}.{decimals or 0}"), used + (len(decimals) + 1) * bool(decimals)


def _follows(last: int, value: int) -> bool:
    """Whether a number word can add to the one before it: "twenty five", not "five twenty"."""
    return last >= 100 or (last >= 20 and last % 10 == 0 and 0 < value < 10)


def _decimals(words: list[str]) -> str:
    if not words or words[0] != "point":
        return ""

    digits = ""
    for word in words[1:]:
        if _NUMBERS.get(word, 10) > 9:
            break
        digits += str(_NUMBERS[word])

    return digits


def _verb_first(tokens: list[Token]) -> list[Token]:
    """The terms of "add five to six", "the product of two and three", "ten percent of fifty"."""
    match [token for token in tokens if token not in ("of", "between", "away")]:
        case [str(verb), Fraction() as left, str(link), Fraction() as right, *_] if verb in _VERBS:
            operator = _VERBS[verb]
            return [right, operator, left] if link == "from" else [left, operator, right]
        case [Fraction() as share, "percent" | "per", Fraction() as whole, *_]:
            return [share / 100, "*", whole]
        case _:
            return []


def _sum_at(tokens: list[Token], start: int) -> list[Token]:
    """The longest run number, operator, number … from `start`; [] when there is none."""
    terms: list[Token] = []
    position = start

    while position < len(tokens):
        first, sign = position, 1
        if tokens[position] in ("minus", "-"):
            position, sign = position + 1, -1
        value = _operand(tokens, position, sure=len(terms) == 0)
        if value is None:
            position = first
            break
        terms.append(sign * value)
        position += 1

        word = tokens[position] if position < len(tokens) else ""
        if not isinstance(word, str) or word not in _OPERATORS:
            break
        terms.append(_OPERATORS[word])
        position += 1
        # "divided by", "added to": the little word is not a number.
        if position + 1 < len(tokens) and tokens[position] in ("by", "to", "with"):
            position += _operand(tokens, position + 1, sure=False) is not None

    return terms if len(terms) % 2 else terms[:-1]


def _operand(tokens: list[Token], position: int, *, sure: bool) -> Fraction | None:
    if position >= len(tokens):
        return None

    token = tokens[position]
    if isinstance(token, Fraction):
        return token

    heard = None if sure else _HEARD_AS.get(token)
    return None if heard is None else Fraction(_NUMBERS[heard])


def _answer(terms: list[Token]) -> str:
    question = " ".join(t if isinstance(t, str) and t not in _SPOKEN else _said(t) for t in terms)
    try:
        result = _value(terms)
    except ZeroDivisionError:
        return "I cannot divide by zero, and neither can anyone else."

    if abs(result) > _LONGEST_ANSWER:
        return f"{question} is too big a number for me to say."

    about = "about " if (100 * result).denominator != 1 else ""
    return f"{question} is {about}{_said(result)}."


def _said(term: Token) -> str:
    if isinstance(term, str):
        return _SPOKEN[term]

    return spoken(term) if term >= 0 else f"minus {spoken(-term)}"


def _value(terms: list[Token]) -> Fraction:
    """Evaluate with times and divided by before plus and minus."""
    values: list[Fraction] = []
    operators: list[str] = []

    def apply() -> None:
        right, left, operator = values.pop(), values.pop(), operators.pop()
        match operator:
            case "+":
                values.append(left + right)
            case "-":
                values.append(left - right)
            case "*":
                values.append(left * right)
            case _:
                values.append(left / right)

    for term in terms:
        if isinstance(term, Fraction):
            values.append(term)
            continue
        while operators and _PRECEDENCE[operators[-1]] >= _PRECEDENCE[term]:
            apply()
        operators.append(term)

    while operators:
        apply()

    return values[0]
