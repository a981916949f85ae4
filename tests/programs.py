"""Agent programs for the console's tests: written into a folder, run in this process."""

from __future__ import annotations

import io
import json
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from antiphon import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = """\
import asyncio
import os
import signal, sys
from antiphon import (
    Agent, AgentServer, AgentSession, JobContext, UsageError, cli, get_job_context
)

server = AgentServer()


class Echo(Agent):
    def __init__(self):
        super().__init__(instructions="")

    async def llm_node(self, chat_ctx, tools, model_settings):
        yield "You said " + chat_ctx.messages()[-1].text_content + "."


@server.rtc_session()
async def entrypoint(ctx: JobContext):
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a run."""

    status: int
    out: str
    err: str
    folder: Path

    @property
    def transcript(self) -> list[dict[str, object]]:
        """The written transcript."""
        lines: list[dict[str, object]] = json.loads((self.folder / "transcript.json").read_text())
        return lines

    @property
    def timeline(self) -> list[dict[str, object]]:
        """The written timeline."""
        text = (self.folder / "timeline.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def kinds(self, kind: str) -> list[dict[str, object]]:
        """The records of one kind."""
        return [record for record in self.timeline if record["kind"] == kind]


class Programs:
    """Writes and runs programs in one folder; what loading changes is put back by `clean`."""

    def __init__(
        self,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.folder = folder
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def write(self, text: str, name: str = "program.py") -> Path:
        """A whole program."""
        path = self.folder / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def entry(self, body: str) -> Path:
        """A program whose entry point is `body`."""
        text = HEAD + textwrap.indent(textwrap.dedent(body), "    ")
        return self.write(text)

    def console(self, *arguments: object, stdin: str = "") -> Ran:
        """Run `antiphon console` with its record in a folder of its own."""
        out = self.folder / "out"
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        status = cli.run(["console", *map(str, arguments), "--out", str(out)])
        said = self._capsys.readouterr()
        return Ran(status, said.out, said.err, out)


@pytest.fixture
def programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Programs]:
    """`Programs` in `tmp_path`, leaving `sys` as it was."""
    modules, path = dict(sys.modules), list(sys.path)
    yield Programs(tmp_path, capsys, monkeypatch)
    sys.path[:] = path
    for name in sys.modules.keys() - modules.keys():
        if getattr(sys.modules[name], "__file__", None) == str(tmp_path / f"{name}.py"):
            del sys.modules[name]
