"""`antiphon conformance`: whoever writes a model can try it, and is told what is wrong."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import pytest

from antiphon import cli

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
from livekit.agents import llm
from openai import AsyncOpenAI


class Mine(llm.LLM):
    def __init__(self, url):
        super().__init__()
        self.client = AsyncOpenAI(api_key="secret-key", base_url=url + "/v1", max_retries=0)

    def chat(self, *, chat_ctx, tools=None, conn_options=None, **_):
        return Saying(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)

    async def aclose(self):
        await self.client.close()


class Saying(llm.LLMStream):
    async def _run(self):
        told, _ = self.chat_ctx.to_provider_format("openai")
        async with await self._llm.client.chat.completions.create(
            model="mine", messages=told, stream=True
        ) as pieces:
            async for piece in pieces:
                text = piece.choices[0].delta.content if piece.choices else None
                if text:
                    delta = llm.ChoiceDelta(role="assistant", content=text)
                    self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=delta))


def make_llm(url):
    return Mine(url)


def raises(url):
    raise ValueError("no such place")


def no_model(url):
    return "hello"


def two(url, key):
    return Mine(url)


number = 3
"""

ALONE = """
from antiphon.simulate import ScriptedLLM


def make():
    return ScriptedLLM(lambda _: "One. Two. Three.")
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_module.py").write_text(MODULE, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_module", raising=False)


def tried(*arguments: str) -> int:
    return cli.run(["conformance", *arguments])


def test_a_model_of_ones_own_is_tried_in_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert tried("my_module:make_llm", "--only", "words", "barge-in", "401", "cut") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "my_module:make_llm"
    assert [line.split() for line in said[1:]] == [
        ["words", "yes"],
        ["barge-in", "yes"],
        ["401", "yes"],
        ["cut", "yes"],
        ["4", "of", "4"],
    ]


def test_a_program_that_runs_the_suite_is_logged_as_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = logging.getLogger("antiphon").level
    assert cli.run(["conformance", "no_such_module:make"]) == 1
    assert logging.getLogger("antiphon").level == before


def test_what_a_model_does_not_do_is_said_with_what_it_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tried("my_module:make_llm", "--only", "tool", "usage") == 1
    said = capsys.readouterr().out
    assert "tool       no       the tool was called with []" in said
    assert "usage      no       270 tokens went in and 0 were counted" in said
    assert "0 of 2" in said


WRONG = [
    ("nothing:make_llm", "there is no module nothing"),
    ("my_module:nothing", "my_module has no nothing"),
    ("my_module", "names no function: write my_module:make_llm"),
    ("my_module:raises", "my_module:raises raised ValueError: no such place (my_module.py:"),
    ("my_module:no_model", "my_module:no_model gave a str, and no LLM"),
    ("my_module:number", "my_module:number cannot be called"),
    ("my_module:two", "my_module:two takes 2 arguments; it is given the server's address"),
]


@pytest.mark.parametrize(("target", "told"), WRONG)
def test_what_cannot_be_tried_is_one_line(
    target: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tried(target) == 1
    out, line = capsys.readouterr()
    assert out == ""
    assert told in line
    assert line.count("\n") == 1
    assert line.startswith("antiphon: ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--only", "wrods"], "no check wrods: there is words, tool,"),
        (["--speaks", "morse"], "--speaks morse: there is chat,"),
        (["--write", "page.md"], "--write is for the tables of all"),
    ],
)
def test_options_that_name_nothing_are_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tried("my_module:make_llm", *arguments) == 1
    assert told in capsys.readouterr().err


def test_a_model_that_answers_by_itself_is_tried_from_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alone.py").write_text(ALONE, "utf-8")
    assert tried("alone.py:make", "--only", "words") == 0
    assert "words      yes      3 pieces" in capsys.readouterr().out
