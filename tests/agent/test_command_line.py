"""The words of a command, and what it reads and writes: wrong ones, broken ones, closed ones."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from antiphon import __version__, cli

if TYPE_CHECKING:
    from tests.programs import Programs


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.run(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"antiphon {__version__}\n"


@pytest.mark.parametrize(
    "words", [[], ["console"], ["sing"], ["console", "a", "--text", "--wav", "b"]]
)
def test_a_command_that_makes_no_sense_has_status_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.run(words)
    assert left.value.code == 2
    assert "usage: antiphon" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "options"),
    [(["console", "a.py", "--fats"], "--fast"), (["doctor", "--sond"], "--sound")],
)
def test_a_misspelt_option_is_answered_with_those_of_its_command(
    words: list[str], options: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.run(words)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert f"usage: antiphon {words[0]} " in said
    assert options in said
    assert words[-1] in said.splitlines()[-1]


def test_lines_that_cannot_be_read_are_turns_all_the_same(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = io.TextIOWrapper(io.BytesIO("h\xe9llo\none\n".encode("latin-1")), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", lines)
    out = programs.folder / "out"
    echo = programs.entry("await AgentSession().start(Echo())")
    assert cli.run(["console", str(echo), "--text", "--out", str(out)]) == 0
    transcript = json.loads((out / "transcript.json").read_text(encoding="utf-8"))
    assert [line["text"] for line in transcript if line["speaker"] == "user"] == [
        "h\ufffdllo",
        "one",
    ]


def test_a_shell_that_has_closed_what_a_command_reads_and_writes_ends_no_call(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    out = programs.folder / "out"
    greets = "session = AgentSession()\nawait session.start(Echo())\nsession.say('Welcome here.')"
    command = ["console", str(programs.entry(greets)), "--text", "--fast", "--out", str(out)]
    assert cli.run(command) == 0
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()
    assert "Welcome here." in (out / "transcript.json").read_text(encoding="utf-8")


def test_a_doctor_to_whom_nobody_listens_gives_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", lost := os.fdopen(writer, "w", 1))
        assert cli.run(["doctor"]) in (0, 1)
    with suppress(OSError):
        lost.close()
