"""The samples with speech-to-speech models, run against their providers' protocols on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.realtime import dialects
from tests.realtime.beside import beside
from tests.realtime.conftest import LIVE
from tests.realtime.rows import GEMINI, OPENAI
from tests.realtime.script import Answer, Made, Model

if TYPE_CHECKING:
    from tests.programs import Programs, Ran

WANTED = "a plugin is missing: pip install -e '.[providers]'"
SAMPLES = Path(__file__).parents[2] / "samples"


def said(ran: Ran, speaker: str) -> list[str]:
    return [str(line["text"]) for line in ran.transcript if line["speaker"] == speaker]


def waiting(made: Made) -> Answer:
    role, last = made.asked[-1] if made.asked else ("", "")
    if role == "result":
        return Answer("A table for four it is.")
    if "table" in last:
        return Answer(calls=(("book_table", {"guests": 4}),))
    return Answer("Good day.")


def test_openais_model_greets_and_books_a_table(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("livekit.plugins.openai", reason=WANTED)
    with beside(OPENAI, Model(script=waiting)) as model:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{model.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", dialects.KEY)
        sample = SAMPLES / "realtime_openai.py"
        ran = programs.console(sample, "--text", stdin="a table for four please\n")
    assert ran.status == 0
    assert said(ran, "agent") == ["Good day.", "A table for four it is."]
    assert [record["name"] for record in ran.kinds("tool_started")] == ["book_table"]
    assert model.wrong == []
    assert all(each.closed is not None for each in model.connections)


def answering(made: Made) -> Answer:
    if "You are the cook" in made.instructions:
        asked = any("what is the soup" in text for _, text in made.asked)
        return Answer("Leek and potato." if asked else "The kitchen here.")
    if any("the food" in text for _, text in made.asked):
        return Answer(calls=(("ask_the_kitchen", {}),))
    return Answer("Good day.")


@pytest.mark.filterwarnings(LIVE)
def test_geminis_model_hands_over_to_the_kitchen(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("livekit.plugins.google", reason=WANTED)
    with beside(GEMINI, Model(script=answering)) as model:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", model.url)
        monkeypatch.setenv("GOOGLE_API_KEY", dialects.KEY)
        sample = SAMPLES / "realtime_gemini.py"
        lines = "i ask about the food\nwhat is the soup\n"
        ran = programs.console(sample, "--text", stdin=lines)
    assert ran.status == 0
    assert said(ran, "agent") == ["Good day.", "The kitchen here.", "Leek and potato."]
    assert [record["to"] for record in ran.kinds("handoff")] == ["front_desk", "kitchen"]
    assert model.wrong == []
    assert len(model.connections) == 2
    assert all(each.closed is not None for each in model.connections)
