"""Ready-made tasks: a name, an e-mail address, a phone number, an address, a date of birth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time  # noqa: TC003  # results are dataclasses: hints are read
from typing import TYPE_CHECKING, Final

from livekit.agents import NOT_GIVEN, NotGivenOr
from livekit.agents import llm as llms

from antiphon import arguments
from antiphon.workflows import readings
from antiphon.workflows.form import Entry, Field, Form, FormOptions, FormTask, Given, Missing

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass
class GetNameResult:
    """The parts that were asked for; None for the others."""

    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None


class GetNameTask(FormTask[GetNameResult]):
    """Asks for the parts of a name. `name_format` is their order, "{last_name} {first_name}"."""

    def __init__(
        self,
        first_name: bool = True,
        last_name: bool = False,
        middle_name: bool = False,
        name_format: NotGivenOr[str] = NOT_GIVEN,
        verify_spelling: bool = False,
        **options: Unpack[FormOptions],
    ) -> None:
        wanted = {"first_name": first_name, "middle_name": middle_name, "last_name": last_name}
        self._parts = [part for part, asked in wanted.items() if asked]
        if not self._parts:
            raise ValueError("ask for a part: first_name, middle_name or last_name must be True")
        usual = " ".join(f"{{{part}}}" for part in self._parts)
        self._format: str = arguments.said(name_format, usual)
        labels = [part.replace("_", " ") for part in self._parts]
        form = Form(
            noun=f"the user's name ({', '.join(labels)})",
            tool="name",
            fields=tuple(
                Field(part, f"The {label}.", required=False)
                for part, label in zip(self._parts, labels, strict=True)
            ),
            decline="decline_name_capture",
            spoken=(
                "It is transcribed speech. A name may be followed by its spelling, letter by "
                "letter or by words (Mike as in Mike India): take the spelling. Write hyphens and "
                "apostrophes as signs, and each part with a capital letter."
            ),
            typed="It is typed: keep its signs, and write each part with a capital letter.",
            ask=(
                "Ask for the name. If one was said before in this conversation, ask whether that "
                "is the one that is meant, and say whose name you ask for where that was told."
            ),
        )
        super().__init__(form, verify_spelling=verify_spelling, **options)

    def _read(self, given: Given) -> Entry[GetNameResult]:
        parts = {p: readings.name(p.replace("_", " "), given.get(p)) for p in self._parts}
        whole = dict.fromkeys(("first_name", "middle_name", "last_name"), "") | parts
        shown = self._format.format(**whole).strip()
        return Entry(GetNameResult(**parts), shown, " ".join(shown.replace(" ", "")))


@dataclass
class GetEmailResult:
    email_address: str


EMAIL: Final = Form(
    noun="the user's e-mail address",
    tool="email_address",
    fields=(Field("email", "The address, like ada@example.org."),),
    decline="decline_email_capture",
    spoken=(
        "It is transcribed speech: write at, dot, dash, underscore and plus as signs. A word may "
        "be followed by its spelling: take the spelling. Where only the part before the @ was "
        "said, ask for the rest."
    ),
    typed="It is typed. Where a part seems to be missing, ask.",
)


class GetEmailTask(FormTask[GetEmailResult]):
    """Asks for an e-mail address."""

    def __init__(self, *, verify_spelling: bool = False, **options: Unpack[FormOptions]) -> None:
        super().__init__(EMAIL, verify_spelling=verify_spelling, **options)

    def _read(self, given: Given) -> Entry[GetEmailResult]:
        address = readings.email(given["email"])
        return Entry(GetEmailResult(address), address, " ".join(address))


@dataclass
class GetPhoneNumberResult:
    """Digits, with a + before them where one was given."""

    phone_number: str


PHONE: Final = Form(
    noun="the user's phone number",
    tool="phone_number",
    fields=(Field("phone_number", "Digits only, with a leading + where the user said plus."),),
    decline="decline_phone_number_capture",
    spoken=(
        "It is transcribed speech: write the words for digits as digits (oh is 0), plus at the "
        "beginning as +, and leave all else out. Read a number back in groups of three or four."
    ),
    typed="It is typed: leave spaces, dashes, dots and brackets out.",
)


class GetPhoneNumberTask(FormTask[GetPhoneNumberResult]):
    """Asks for a phone number."""

    def __init__(self, **options: Unpack[FormOptions]) -> None:
        super().__init__(PHONE, **options)

    def _read(self, given: Given) -> Entry[GetPhoneNumberResult]:
        number = readings.phone(given["phone_number"])
        return Entry(GetPhoneNumberResult(number), number, " ".join(number))


@dataclass
class GetAddressResult:
    """The parts in one line: street, unit, locality, country."""

    address: str


ADDRESS: Final = Form(
    noun="the user's address",
    tool="address",
    fields=(
        Field("street_address", "House number and street, or what the country has for them."),
        Field("unit_number", "Floor or apartment; '' when there is none.", required=False),
        Field("locality", "Town, with its postal code or province."),
        Field("country", "The country, in full."),
    ),
    decline="decline_address_capture",
    spoken=(
        "It is transcribed speech: write numbers as digits and signs as signs, spell the country "
        "out, and take a spelling where one is given."
    ),
)


class GetAddressTask(FormTask[GetAddressResult]):
    """Asks for a postal address."""

    def __init__(self, **options: Unpack[FormOptions]) -> None:
        super().__init__(ADDRESS, **options)

    def _read(self, given: Given) -> Entry[GetAddressResult]:
        street, unit = given["street_address"], given.get("unit_number", "")
        locality, country = given["locality"], given["country"]
        found = readings.address(street, unit, locality, country)
        spelt = " ".join(street.replace(" ", ""))
        return Entry(GetAddressResult(found), found, f"{spelt}, {unit} {locality}, {country}")


@dataclass
class GetDOBResult:
    """The time is None where it was not asked for, or is not known."""

    date_of_birth: date
    time_of_birth: time | None = None


DATE: Final = (
    Field("year", "The year, like 1990.", "integer"),
    Field("month", "1 to 12.", "integer"),
    Field("day", "1 to 31.", "integer"),
)
TIME: Final = (
    Field("hour", "0 to 23.", "integer"),
    Field("minute", "0 to 59.", "integer"),
)
DOB: Final = Form(
    noun="the user's date of birth",
    tool="dob",
    fields=DATE,
    decline="decline_dob_capture",
    spoken=(
        "It is transcribed speech: months may be named or numbered, and years shortened (ninety is "
        "1990, oh five is 2005). Say dates back as people say them."
    ),
    typed="It is typed, in any usual order; years may be shortened (90 is 1990, 05 is 2005).",
    ask="Ask the user for their date of birth.",
)
WITH_TIME: Final = (
    "Ask for the time of birth as well, and record it with `update_time`; it may be left out."
)


class GetDOBTask(FormTask[GetDOBResult]):
    """Asks for a date of birth, and with `include_time` for the time where the user knows it."""

    def __init__(
        self,
        *,
        include_time: bool = False,
        **options: Unpack[FormOptions],
    ) -> None:
        if include_time:
            extra = options.get("extra_instructions", "")
            options["extra_instructions"] = f"{extra}\n{WITH_TIME}".strip()
        super().__init__(DOB, **options)
        if include_time:
            about = "the user's time of birth"
            self._tools.append(self._updating("time", about, TIME, llms.ToolFlag.NONE))

    def _read(self, given: Given) -> Entry[GetDOBResult]:
        at = readings.hour(given["hour"], given["minute"]) if "hour" in given else None
        if "year" not in given:
            raise Missing("The time is recorded. Ask for the date of birth, which is missing.")
        day = readings.born(given["year"], given["month"], given["day"], self._today)
        shown = f"{day:%B} {day.day}, {day.year}" + (f" at {at:%H:%M}" if at else "")
        return Entry(GetDOBResult(day, at), shown, f"{day:%B}, {day.day}, {day.year}")
