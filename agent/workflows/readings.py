"""Reading what a caller said into what was meant: pure functions, which raise `Unreadable`.

They take text as a recogniser or a model writes it ("five five five", "ada at example dot org") and
the date of the session where the answer depends on it. A message says what to ask the caller.
"""

from __future__ import annotations

import re
from datetime import date, time
from typing import Final

DIGITS: Final = {
    word: str(digit)
    for digit, words in enumerate(
        "zero,oh,o one two three four five six seven eight nine".split(" ")
    )
    for word in words.split(",")
}
TIMES: Final = {"double": 2, "triple": 3}
SIGNS: Final = {
    "at": "@",
    "dot": ".",
    "point": ".",
    "dash": "-",
    "hyphen": "-",
    "minus": "-",
    "underscore": "_",
    "plus": "+",
}
LETTERS: Final = r"[A-Za-z0-9]"
LABEL: Final = rf"{LETTERS}(?:[A-Za-z0-9-]{{0,61}}{LETTERS})?"
# RFC 5321's dot-string and domain, without quoted local parts, which nobody says.
EMAIL: Final = re.compile(
    rf"{LETTERS}[A-Za-z0-9_%+-]*(?:\.[A-Za-z0-9_%+-]+)*@(?:{LABEL}\.)+[A-Za-z]{{2,63}}"
)
NOTHING: Final = {"", "null", "none", "nil", "n/a", "unknown", "unspecified"}
# The first digits of a card's number say who issued it.
ISSUERS: Final = {"3": "American Express", "4": "Visa", "5": "Mastercard", "6": "Discover"}


class Unreadable(ValueError):
    """What was said cannot be what was asked for; the message never repeats it."""


def word_or_none(value: str | None) -> str | None:
    """A text without its quotes; None for what models write when there is none."""
    text = (value or "").strip().strip("'\"").strip()
    return None if text.casefold() in NOTHING else text


def digits(text: str) -> str:
    """The digits in a text, figures and words: "double five, oh" is 550.

    A word that is neither is left out, as fillers are; signs too.
    """
    found, times = "", 1
    for part in re.findall(r"[a-z]+|\d+", text.lower()):
        if part in TIMES:
            times = TIMES[part]
            continue
        read = part if part.isdigit() else DIGITS.get(part, "")
        found += read[:1] * (times - 1) + read
        times = 1
    return found


def name(label: str, value: str | None) -> str:
    """One part of a name: some letters."""
    text = word_or_none(value)
    if text is None:
        raise Unreadable(f"the {label} is missing; ask for it")
    if not any(letter.isalpha() for letter in text):
        raise Unreadable(f"the {label} has no letters in it; ask for it again")
    return text


def email(said: str) -> str:
    """An address; "ada dot love at example dot org" is ada.love@example.org."""
    text = said.strip()
    if not EMAIL.fullmatch(text):
        words = text.split()
        text = "".join(_sign(word) for word in words)
    local = text.split("@")[0]
    if not EMAIL.fullmatch(text) or len(text) > 254 or len(local) > 64:
        raise Unreadable("that is no e-mail address; ask for the part before the at, then the rest")
    return text


def phone(said: str) -> str:
    """Digits, 7 to 15 of them (ITU-T E.164), with the + that was given or said."""
    number = digits(said)
    abroad = bool(re.match(r"\s*(\+|plus\b)", said.lower()))
    if not 7 <= len(number) <= 15:
        raise Unreadable(
            "a phone number has 7 to 15 digits; ask for the area code first, then for the rest"
        )
    if abroad and number.startswith("0"):
        raise Unreadable("no country's code begins with 0; ask for the number again")
    return f"+{number}" if abroad else number


def born(year: int, month: int, day: int, today: date) -> date:
    """A date of birth; two digits of a year are the latest such year that is not to come."""
    if 0 <= year < 100:
        year += today.year - today.year % 100
        year -= 100 if year > today.year else 0
    try:
        found = date(year, month, day)
    except ValueError as error:
        raise Unreadable(f"there is no such date ({error}); ask for it again") from None
    if found > today:
        raise Unreadable("that date is in the future; ask for the date of birth again")
    if found.year < today.year - 130:
        raise Unreadable("nobody alive was born then; ask for the year again")
    return found


def hour(hours: int, minutes: int) -> time:
    """A time of day."""
    try:
        return time(hours, minutes)
    except ValueError as error:
        raise Unreadable(f"there is no such time ({error}); ask for it again") from None


def card_number(said: str) -> str:
    """13 to 19 digits (ISO/IEC 7812) of which the last is the right check digit."""
    number = digits(said)
    if not 13 <= len(number) <= 19:
        raise Unreadable("a card's number has 13 to 19 digits; ask for all of it again")
    if not luhn(number):
        raise Unreadable("that is no valid card number; ask whether a digit is wrong")
    return number


def luhn(number: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return bool(doubled) and sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def issuer(number: str) -> str:
    """Who issued a card, by its first digit."""
    return ISSUERS.get(number[:1], "Other")


def security_code(said: str) -> str:
    """The three or four digits beside the signature."""
    code = digits(said)
    if len(code) not in (3, 4):
        raise Unreadable("a security code has 3 or 4 digits; ask for it again")
    return code


def expiry(month: int, year: int, today: date) -> str:
    """`MM/YY`; a card holds to the end of its month."""
    if not 1 <= month <= 12:
        raise Unreadable("there is no such month; ask for the month again")
    full = year + 2000 if 0 <= year < 100 else year
    if not 2000 <= full <= 2099:
        raise Unreadable("there is no such year on a card; ask for the year again")
    if (full, month) < (today.year, today.month):
        raise Unreadable("that card has expired; ask for another card")
    return f"{month:02d}/{full % 100:02d}"


def address(street: str, unit: str, locality: str, country: str) -> str:
    """A postal address in one line; only the unit may be missing."""
    parts = {"street": street, "unit": unit, "locality": locality, "country": country}
    found = {label: word_or_none(value) for label, value in parts.items()}
    for label in ("street", "locality", "country"):
        if found[label] is None:
            raise Unreadable(f"the {label} is missing; ask for it")
    return " ".join(value for value in found.values() if value)


def _sign(word: str) -> str:
    """A word of an address as it is written."""
    low = word.lower()
    return SIGNS.get(low) or DIGITS.get(low if len(low) > 1 else "", word)
