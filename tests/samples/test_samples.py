"""Each sample, with the built-in engines and a recorded caller, on the virtual clock."""

from __future__ import annotations

import json
import runpy
import threading
import wave
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from antiphon import ChatContext, ModelSettings
from antiphon.simulate import hesitates, listens, says, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.programs import Programs, Ran

SAMPLES = Path(__file__).parents[2] / "samples"
CALLERS = SAMPLES / "callers"

THRESHOLD = 100  # of a 16-bit sample: what is less is silence


def call(programs: Programs, sample: str, caller: str) -> Ran:
    ran = programs.console(SAMPLES / sample, "--wav", CALLERS / caller, "--fast")
    assert ran.status == 0
    for record in ran.kinds("delay"):
        parts = record["parts"]
        assert isinstance(parts, dict)
        assert round(sum(parts.values()), 6) == record["total"]
    return ran


def said(ran: Ran, speaker: str) -> list[str]:
    return [str(line["text"]) for line in ran.transcript if line["speaker"] == speaker]


def complaints(ran: Ran) -> list[str]:
    """What was said on standard error, but for a clock that waits for a busy machine."""
    return [line for line in ran.err.splitlines() if "antiphon.clock: clock held" not in line]


def sounding(ran: Ran, channel: int) -> list[float]:
    """The seconds at which one side is not silent; 0 is the caller, 1 the agent."""
    with wave.open(str(ran.folder / "conversation.wav")) as file:
        rate = file.getframerate()
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    times: list[float] = (np.flatnonzero(np.abs(both[:, channel]) > THRESHOLD) / rate).tolist()
    return times


def test_every_sample_has_a_test() -> None:
    tested = {
        *("hello.py", "override_llm_node.py", "interruptions.py", "test_with_simulate.py"),
        *("tools.py", "handoff.py", "llm_http.py", "llm_langchain.py", "survey.py"),
        *("test_my_agent.py", "room.py", "room_text.py", "room_video.py", "room_keypad.py"),
        *("llm_openai.py", "llm_blocking.py", "llm_graph.py"),
        *("realtime_openai.py", "realtime_gemini.py"),
    }
    assert {path.name for path in SAMPLES.glob("*.py")} == tested


def test_hello_answers_a_caller(programs: Programs) -> None:
    ran = call(programs, "hello.py", "hello.wav")
    assert said(ran, "user") == ["hello", "what time is it", "many thanks goodbye"]
    hello, time, goodbye = said(ran, "agent")
    assert hello.startswith("Hello! I am Ada.")
    assert time.startswith("It is ")
    assert "oodbye" in goodbye
    assert not complaints(ran)


@pytest.mark.parametrize(
    ("sample", "number"), [("test_with_simulate.py", 3), ("test_my_agent.py", 2)]
)
def test_a_sample_that_is_a_test_passes(sample: str, number: int) -> None:
    module = runpy.run_path(str(SAMPLES / sample))
    tests = [each for name, each in module.items() if name.startswith("test_")]
    assert len(tests) == number
    for test in tests:
        test()


def test_hello_is_fifteen_lines_long() -> None:
    assert len((SAMPLES / "hello.py").read_text().splitlines()) <= 15


def test_a_model_of_ones_own_is_an_async_generator(programs: Programs) -> None:
    ran = call(programs, "override_llm_node.py", "hello.wav")
    assert said(ran, "agent") == [
        "You said: hi",
        "You said: what time is it",
        "You said: many thanks bye",
    ]


def test_an_interruption_is_obeyed(programs: Programs) -> None:
    ran = call(programs, "interruptions.py", "interrupts.wav")

    assert said(ran, "user") == ["i would like to hear your story", "stop what time is it"]
    story, time = [line for line in ran.transcript if line["speaker"] == "agent"]
    assert story["interrupted"]
    assert str(story["text"]).startswith("Here is one. On a rock far out at sea there stood")
    assert not time["interrupted"]
    assert str(time["text"]).startswith("It is ")
    assert sounding(ran, 0)
    # The caller speaks up at 8.4 s; what is left of the story is not heard a quarter second later.
    begun, ended = float(str(time["start"])), float(str(story["end"]))
    agent = sounding(ran, 1)
    assert agent[0] < ended <= 8.4 + 0.25
    assert not [at for at in agent if ended <= at < begun]
    assert agent[-1] > begun
    assert "cut after" in ran.out
    assert not complaints(ran)


def test_a_hum_and_a_cough_do_not_end_a_story(programs: Programs) -> None:
    ran = call(programs, "interruptions.py", "hums.wav")

    (story,) = [line for line in ran.transcript if line["speaker"] == "agent"]
    assert not story["interrupted"]
    assert str(story["text"]).endswith("Would you like another story?")
    assert "that was no interruption" in ran.out
    assert not complaints(ran)


def typed(programs: Programs, sample: str, *lines: str) -> Ran:
    ran = programs.console(SAMPLES / sample, "--text", stdin="\n".join((*lines, "")))
    assert ran.status == 0
    return ran


def test_tools_are_called_and_their_results_are_told(programs: Programs) -> None:
    ran = typed(programs, "tools.py", "what is the weather in rome", "book a table for four")
    assert [record["name"] for record in ran.kinds("tool_started")] == ["weather", "book_table"]
    weather, table = said(ran, "agent")[-2:]
    assert "mild in rome" in weather.lower()
    assert "table for 4 is booked" in table.lower()


def test_a_handoff_changes_who_answers(programs: Programs) -> None:
    ran = typed(programs, "handoff.py", "ask the kitchen", "what is the soup")
    assert [record["to"] for record in ran.kinds("handoff")] == ["front_desk", "kitchen"]
    assert "The kitchen here." in said(ran, "agent")
    assert "leek and potato" in said(ran, "agent")[-1]


def test_langchain_streams_into_speech(programs: Programs) -> None:
    ran = typed(programs, "llm_langchain.py", "hello", "and again")
    assert said(ran, "agent") == ["I am a stand-in for a model.", "Still a stand-in."]
    assert "error" not in {record["kind"] for record in ran.timeline}


class Completions(BaseHTTPRequestHandler):
    """A server of the OpenAI protocol that repeats the last message, word by word."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(asked)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        about = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "a-model"}
        for word in f"You said {asked['messages'][-1]['content']}.".split():
            delta = {"index": 0, "delta": {"content": word + " "}, "finish_reason": None}
            self.wfile.write(f"data: {json.dumps({**about, 'choices': [delta]})}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def completions() -> Iterator[str]:
    """The address of such a server."""
    with HTTPServer(("127.0.0.1", 0), Completions) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        Completions.asked.clear()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_a_raw_http_stream_is_spoken(
    programs: Programs, completions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_URL", completions)
    ran = typed(programs, "llm_http.py", "good morning")
    assert said(ran, "agent") == ["You said good morning."]


def test_openais_own_client_streams_into_speech(
    programs: Programs, completions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", completions)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    ran = typed(programs, "llm_openai.py", "good morning", "and again")
    assert said(ran, "agent") == ["You said good morning.", "You said and again."]
    assert Completions.asked[-1]["logit_bias"] == {"1734": -100}
    said_before = [message["content"] for message in Completions.asked[-1]["messages"]]
    assert said_before[1:] == ["good morning", "You said good morning.", "and again"]


def test_a_library_that_blocks_streams_into_speech(programs: Programs) -> None:
    ran = typed(programs, "llm_blocking.py", "good morning")
    assert said(ran, "agent") == ["I have thought about good morning and have nothing to add."]


async def test_a_library_that_blocks_is_asked_for_no_token_after_a_barge_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = runpy.run_path(str(SAMPLES / "llm_blocking.py"))
    made: list[int] = []

    def endless(prompt: str) -> Iterator[str]:
        while True:
            made.append(len(made))
            yield "word. "

    module["Blocking"].llm_node.__globals__["generate"] = endless
    context = ChatContext()
    context.add_message(role="user", content="hello")
    answer = module["Blocking"](instructions="").llm_node(context, [], ModelSettings())
    heard = [await anext(answer) for _ in range(3)]
    await answer.aclose()
    assert heard == ["word. "] * 3
    assert len(made) == 3


GRAPHS = "langgraph: pip install -e '.[providers]'"


def test_a_graph_keeps_its_state_from_turn_to_turn(programs: Programs) -> None:
    pytest.importorskip("langgraph", reason=GRAPHS)
    ran = typed(programs, "llm_graph.py", "a soup", "a pie")
    assert said(ran, "agent") == ["Number 1: a soup.", "Number 2: a pie."]


def test_a_graph_forgets_what_nobody_has_heard() -> None:
    pytest.importorskip("langgraph", reason=GRAPHS)
    order = runpy.run_path(str(SAMPLES / "llm_graph.py"))["OverGraph"]()
    script = [says("a soup", hesitates(0.4), "and bread"), listens(), says("a pie"), listens()]
    call = simulate(order, script)
    assert call.said("agent") == ["Number 1: a soup and bread.", "Number 2: a pie."]
    assert len(call.records("drop")) >= 1
    assert order.state["dishes"] == ["a soup and bread", "a pie"]
