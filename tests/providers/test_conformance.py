"""Every model of the documentation, in a call, over real sockets: what the README's table says."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from antiphon.conformance import CHECKS, PROVIDERS, Check, Provider, tried
from antiphon.conformance.table import made_row, write
from antiphon.pipeline.errors import UsageError

KNOWN = {  # of the plugins' own doing, and in the README's table
    ("anthropic", "usage"): "16 tokens came out and 18 were counted",
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("provider", PROVIDERS, ids=str)
async def test_a_model_does_in_a_call_what_it_must(provider: Provider, check: Check) -> None:
    result = await tried(provider, check)
    known = KNOWN.get((provider.name, check.name))
    if known is not None:
        assert result.outcome == "no", "it does now: take it from the list, and write the table"
        assert known in result.note
    elif check.name in provider.untried:
        assert result.outcome == "untried"
    else:
        assert result.outcome == "yes", result.note


def test_each_provider_is_installed_by_an_extra_of_its_name_and_all_by_one() -> None:
    project = tomllib.loads((README.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {provider.made.extra for provider in PROVIDERS} - {""}
    assert wanted <= extras.keys()
    (of_all,) = extras["all-llms"]
    brought = set(of_all.partition("[")[2].rstrip("]").split(","))
    assert brought <= extras.keys()
    packages = {package for extra in brought for package in extras[extra]}
    assert all(set(extras[extra]) <= packages for extra in wanted)


README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize("provider", PROVIDERS, ids=str)
def test_the_readme_says_how_each_model_is_made_and_what_it_does_not(provider: Provider) -> None:
    lines = [line for line in README.read_text("utf-8").splitlines() if line.startswith("| ")]
    made, came = (line for line in lines if line.startswith(f"| {provider.name} |"))
    assert made == f"| {' | '.join(made_row(provider))} |"
    wrong = [check for name, check in KNOWN if name == provider.name]
    assert all(KNOWN[provider.name, check] in came for check in wrong)
    assert came.count("**no**") == len(set(wrong) & {"barge-in", "usage"})
    assert ("12 of 12" in came) is not bool({"hiccup"} & set(wrong))
    for why in provider.untried.values():
        assert f"({why})" in came


def test_the_tables_are_written_between_their_marks_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(README.read_text("utf-8"), "utf-8")
    write(page, "| a table |")
    before, _, rest = README.read_text("utf-8").partition("<!-- providers: ")
    after = rest.partition("<!-- providers end -->")[2]
    text = page.read_text("utf-8")
    assert text.startswith(before)
    assert text.endswith(f"| a table |\n\n<!-- providers end -->{after}")
    page.write_text("no marks", "utf-8")
    with pytest.raises(UsageError, match="has no lines"):
        write(page, "| a table |")
