"""What a caller says is read into what was meant, or refused with what to ask."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING

import pytest

from antiphon.workflows import readings
from antiphon.workflows.readings import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("5 5 5", "555"),
        ("five five five oh", "5550"),
        ("double five, triple zero", "55000"),
        ("4152-6374", "41526374"),
        ("well, it is seven", "7"),
    ],
)
def test_digits_are_read_as_they_are_said(said: str, meant: str) -> None:
    assert readings.digits(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("ada@example.org", "ada@example.org"),
        ("ada dot love at example dot co dot uk", "ada.love@example.co.uk"),
        ("ada underscore one at example dash mail dot org", "ada_1@example-mail.org"),
        ("ada plus news at example dot org", "ada+news@example.org"),
    ],
)
def test_an_address_is_read_as_it_is_said(said: str, meant: str) -> None:
    assert readings.email(said) == meant


@pytest.mark.parametrize(
    "said", ["", "ada", "ada at example", "a..b@example.org", "@example.org", "a@-example.org"]
)
def test_what_is_no_address_is_refused(said: str) -> None:
    with pytest.raises(Unreadable, match="no e-mail address"):
        readings.email(said)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("555 123 4567", "5551234567"),
        ("+1 (555) 123-4567", "+15551234567"),
        ("plus four nine one seven one two three four five six", "+4917123456"),
        ("area code five five five, one two three four", "5551234"),
    ],
)
def test_a_phone_number_is_read_as_it_is_said(said: str, meant: str) -> None:
    assert readings.phone(said) == meant


@pytest.mark.parametrize("said", ["123456", "1" * 16, "+0 123 456 789", "no"])
def test_what_is_no_phone_number_is_refused(said: str) -> None:
    with pytest.raises(Unreadable):
        readings.phone(said)


@pytest.mark.parametrize(
    ("year", "meant"), [(1990, 1990), (90, 1990), (5, 2005), (26, 2026), (27, 1927)]
)
def test_a_short_year_of_birth_is_the_latest_that_is_not_to_come(year: int, meant: int) -> None:
    assert readings.born(year, 3, 4, TODAY) == date(meant, 3, 4)


@pytest.mark.parametrize("day", [(2026, 11, 22), (2027, 1, 1), (1990, 2, 30), (1880, 1, 1)])
def test_nobody_is_born_on_such_a_day(day: tuple[int, int, int]) -> None:
    with pytest.raises(Unreadable):
        readings.born(*day, TODAY)


def test_a_time_of_day_is_read() -> None:
    assert readings.hour(7, 30) == time(7, 30)
    with pytest.raises(Unreadable):
        readings.hour(24, 0)


@pytest.mark.parametrize(
    ("number", "issuer"),
    [
        ("4111 1111 1111 1111", "Visa"),
        ("3782 822463 10005", "American Express"),
        ("5555 5555 5555 4444", "Mastercard"),
        ("6011 1111 1111 1117", "Discover"),
    ],
)
def test_a_card_is_known_by_its_digits(number: str, issuer: str) -> None:
    assert readings.issuer(readings.card_number(number)) == issuer


@pytest.mark.parametrize("number", ["4111 1111 1111 1112", "4111", "4" * 20, ""])
def test_a_wrong_digit_is_found_and_never_repeated(number: str) -> None:
    with pytest.raises(Unreadable) as refused:
        readings.card_number(number)
    assert not number or number not in str(refused.value)


@pytest.mark.parametrize(("month", "year", "meant"), [(11, 26, "11/26"), (1, 2030, "01/30")])
def test_a_card_holds_to_the_end_of_its_month(month: int, year: int, meant: str) -> None:
    assert readings.expiry(month, year, TODAY) == meant


@pytest.mark.parametrize(("month", "year"), [(10, 26), (13, 30), (0, 30), (1, 25), (1, 1999)])
def test_a_card_that_has_expired_is_refused(month: int, year: int) -> None:
    with pytest.raises(Unreadable):
        readings.expiry(month, year, TODAY)


@pytest.mark.parametrize("code, good", [("012", True), ("one two three four", True), ("12", False)])
def test_a_security_code_has_three_or_four_digits(code: str, good: bool) -> None:
    read: Callable[[], str] = lambda: readings.security_code(code)  # noqa: E731
    if good:
        assert len(read()) in (3, 4)
    else:
        with pytest.raises(Unreadable):
            read()


def test_a_name_is_made_of_letters() -> None:
    assert readings.name("first name", "'Zoë'") == "Zoë"
    for value in ("null", "", "4111", None):
        with pytest.raises(Unreadable, match="first name"):
            readings.name("first name", value)


def test_an_address_needs_all_but_the_unit() -> None:
    assert readings.address("1 Low Road", "", "Ely", "England") == "1 Low Road Ely England"
    assert readings.address("1 Low Road", "Flat 2", "Ely", "England").split()[3] == "Flat"
    with pytest.raises(Unreadable, match="locality"):
        readings.address("1 Low Road", "", "", "England")
