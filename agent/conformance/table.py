"""The results as the README shows them: how each model is made, and what came of the suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from antiphon.conformance.checks import TALKING
from antiphon.conformance.faults import FAULTS
from antiphon.conformance.studio import FAULTS as STUDIOS
from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from antiphon.conformance.provider import Provider
    from antiphon.conformance.suite import Result

BEGINS: Final = "<!-- providers: written by `make providers-table`, from the suite's results -->"
ENDS: Final = "<!-- providers end -->"
PORT: Final = "http://127.0.0.1:8080"  # stands for the local server's address

TOLD: Final = (
    "What came of it in spoken calls, over real sockets: words are heard while the model still\n"
    "speaks, a barge-in closes its connection within 50 ms, tokens are counted once, and after\n"
    "each fault ({faults})\n"
    "there was one clear event and the call went on. `antiphon conformance` runs it again;\n"
    "`antiphon conformance my_module:make_llm` tries a model of yours."
)

MADE: Final = ("model", "install `antiphon[…]`", "made by", "keys", "asks a local server by")
CAME: Final = ("model", *(check.name for check in TALKING), "faults")


SPEECH: Final = (
    "Recognisers and voices, tried in the same way: after each fault ({faults})\n"
    "there was one clear event, and the caller was heard, or answered, again\n"
    "(`make test TESTS=tests/providers/test_speech.py`)."
)
SPOKE: Final = ("recogniser or voice", "made by", "words", "barge-in", "usage", "faults")


def markdown(
    results: Mapping[Provider, Iterable[Result]], speech: Mapping[Provider, Iterable[Result]]
) -> str:
    """The tables of models, and the one of recognisers and voices."""
    rows = [(provider, list(of)) for provider, of in results.items()]
    made = [made_row(provider) for provider, _ in rows]
    came = [came_row(provider, of) for provider, of in rows]
    told = TOLD.format(faults=", ".join(check.name for check in FAULTS))
    spoke = [speech_row(provider, of) for provider, of in speech.items()]
    heading = SPEECH.format(faults=", ".join(STUDIOS))
    tables = [*_table(MADE, made), "", told, "", *_table(CAME, came)]
    return "\n".join([*tables, "", heading, "", *_table(SPOKE, spoke)])


def made_row(provider: Provider) -> list[str]:
    """How it is made."""
    made = provider.made
    extra = f"`{made.extra}`" if made.extra else "–"
    reads = ", ".join(f"`{name}`" for name in made.reads) or "–"
    address = made.address.replace("{url}", PORT)
    return [provider.name, extra, f"`{made.constructor}`", reads, f"`{address}`"]


def came_row(provider: Provider, results: Iterable[Result]) -> list[str]:
    """What came of each check, and of all the faults together."""
    by_name = {result.check: result for result in results}
    said = [cell(by_name[check.name]) for check in TALKING]
    return [provider.name, *said, _faults(by_name, [check.name for check in FAULTS])]


def speech_row(provider: Provider, results: Iterable[Result]) -> list[str]:
    """How a recogniser or a voice is made, and what came of its checks."""
    by_name = {result.check: result for result in results}
    said = [cell(by_name[name]) for name in SPOKE[2:5]]
    return [provider.name, f"`{provider.made.constructor}`", *said, _faults(by_name, STUDIOS)]


def _faults(by_name: Mapping[str, Result], names: Iterable[str]) -> str:
    found = [by_name[name] for name in names]
    held = sum(result.outcome == "yes" for result in found)
    wrong = [f"{result.check}: {result.note}" for result in found if result.outcome != "yes"]
    return "; ".join([f"{held} of {len(found)}", *wrong])


def cell(result: Result) -> str:
    """A result in a word, or in a word and why."""
    word = {"yes": "yes", "no": "**no**", "untried": "–"}[result.outcome]
    if not result.note:
        return word
    return f"({result.note})" if result.outcome == "untried" else f"{word}: {result.note}"


def _table(head: tuple[str, ...], rows: Iterable[list[str]]) -> Iterator[str]:
    yield _line(head)
    yield "|" + "---|" * len(head)
    yield from map(_line, rows)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"


def write(file: Path, text: str) -> None:
    """Put it between the two marks of a file."""
    before, begins, rest = file.read_text("utf-8").partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not (begins and ends):
        raise UsageError(f"{file} has no lines {BEGINS} and {ENDS}, between which to write")
    file.write_text(f"{before}{BEGINS}\n\n{text}\n\n{ENDS}{after}", "utf-8")
