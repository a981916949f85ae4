"""The results as the README shows them: how each model is made, and what came of the suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from antiphon.conformance.checks import TALKING
from antiphon.conformance.faults import FAULTS
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


def markdown(results: Mapping[Provider, Iterable[Result]]) -> str:
    """Both tables."""
    rows = [(provider, list(of)) for provider, of in results.items()]
    made = [made_row(provider) for provider, _ in rows]
    came = [came_row(provider, of) for provider, of in rows]
    faults = ", ".join(check.name for check in FAULTS)
    told = TOLD.format(faults=faults)
    return "\n".join([*_table(MADE, made), "", told, "", *_table(CAME, came)])


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
    faults = [by_name[check.name] for check in FAULTS]
    held = sum(result.outcome == "yes" for result in faults)
    wrong = [f"{r.check}: {r.note}" for r in faults if r.outcome != "yes"]
    return [provider.name, *said, "; ".join([f"{held} of {len(faults)}", *wrong])]


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
