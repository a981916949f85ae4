"""Simulated calls that go wrong: what the test is told, and the laws that are checked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import llm

from antiphon import AgentSession, UsageError
from antiphon.simulate import (
    LawBroken,
    ScriptedLLM,
    ScriptError,
    does,
    hesitates,
    interrupts,
    leaves,
    pauses,
    says,
    simulate,
)
from antiphon.simulated_laws import broken
from tests.hosts import WINDOW, Host, held

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon.simulate import Call


def test_a_word_that_never_came_is_an_error_with_what_was_said() -> None:
    with pytest.raises(ScriptError) as caught:
        held(says("A table"), interrupts("No", word="terrace"), llm=[WINDOW])
    assert "says('No') was to come when the agent had said 'terrace'" in str(caught.value)
    assert WINDOW in str(caught.value)


def test_a_speech_that_is_too_short_to_be_interrupted_is_an_error() -> None:
    with pytest.raises(ScriptError, match="5 s into the agent's speech, which lasted 2.32 s"):
        held(says("A table"), interrupts("No", into=5.0), llm=[WINDOW])


def test_an_agent_that_says_nothing_cannot_be_interrupted() -> None:
    with pytest.raises(ScriptError, match="while the agent speaks, and it said nothing"):
        held(interrupts("No", into=1.0))


def test_an_agent_that_never_finishes_is_an_error_after_the_patience() -> None:
    class Chatty(Host):
        async def on_enter(self) -> None:
            self.session.on("conversation_item_added", lambda _: self.session.say("And then?"))

    with pytest.raises(ScriptError, match="had not finished 20 s after the script was over"):
        simulate(Chatty(), [says("Go on")], llm=["Well."], patience=20.0)


def test_a_model_that_is_asked_too_often_says_so() -> None:
    with pytest.raises(LawBroken, match=r"reply 2 \(the user's last words were 'For two'\)"):
        held(says("A table"), says("For two"), llm=["For when?"])
    with pytest.raises(LawBroken, match=r"write llm=\[…\]"):
        held(says("A table"))


class Failing(Host):
    async def llm_node(self, *_: Any) -> AsyncGenerator[str, None]:
        raise LookupError("no such table")
        yield


def test_what_fails_in_the_agent_fails_the_simulation_unless_it_is_allowed() -> None:
    with pytest.raises(LawBroken, match="LookupError: no such table"):
        simulate(Failing(), [says("A table")])
    call = simulate(Failing(), [says("A table")], allow_errors=True)
    assert [str(error) for error in call.errors] == ["no such table"]


def test_a_callback_that_fails_fails_the_simulation() -> None:
    def fails(_: object) -> None:
        raise LookupError("in a callback")

    def listen(call: Call) -> None:
        call.session.on("user_input_transcribed", fails)

    with pytest.raises(LawBroken, match="LookupError: in a callback"):
        held(does(listen), says("A table"), llm=["For when?"])


def test_a_model_that_needs_the_network_is_refused_with_advice() -> None:
    class Remote(Host):
        async def llm_node(self, *_: Any) -> AsyncGenerator[str, None]:
            await asyncio.open_connection("127.0.0.1", 9)
            yield "never"

    with pytest.raises(LawBroken, match="cannot run in virtual time"):
        simulate(Remote(), [says("A table")])


@pytest.mark.parametrize("moment", [None, 1.0])
def test_an_error_of_the_scripts_own_is_raised_as_it_is(moment: float | None) -> None:
    def fails(_: Call) -> None:
        raise LookupError("in the script")

    with pytest.raises(LookupError, match="in the script"):
        held(does(fails, at=moment), says("A table"), llm=["For when?"])


def test_a_caller_cannot_speak_to_an_agent_that_has_hung_up() -> None:
    with pytest.raises(ScriptError, match="had hung up before the caller could do says"):
        held(does(lambda call: call.session.shutdown()), pauses(1.0), says("Hello?"))


def test_a_deed_that_is_never_done_is_an_error() -> None:
    with pytest.raises(ScriptError, match="was not done after 20 s"):
        held(does(lambda _: asyncio.Event().wait()), patience=20.0)


def test_a_task_that_is_left_behind_is_an_error_by_name() -> None:
    async def forever() -> None:
        await asyncio.sleep(1e6)

    kept: list[object] = []

    def leave(_: Call) -> None:
        kept.append(asyncio.get_running_loop().create_task(forever(), name="forgotten"))

    with pytest.raises(RuntimeError, match="forgotten"):
        held(does(leave))


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        (lambda: says(), "coughs"),
        (lambda: says("a", pauses(1.0)), "hesitates"),  # type: ignore[arg-type]
        (lambda: says("a", hesitates(1.0), "b", heard="c"), "heard="),
        (lambda: interrupts("No"), 'word="…"'),
        (lambda: interrupts("No", word="…"), "no word in it"),
        (lambda: says("a", lasts=0.0), "more than 0"),
        (lambda: held("hello"), r"says\('hello'\)"),  # type: ignore[arg-type]
        (lambda: held(hesitates(1.0)), "goes into says"),  # type: ignore[arg-type]
        (lambda: held(leaves(), says("a")), "comes after leaves"),
        (lambda: simulate(Host, []), r"MyAgent\(\)"),  # type: ignore[arg-type]
        (lambda: held(does(lambda _: asyncio.sleep(1.0), at=1.0)), "without at="),
        (lambda: says("a", word="b", at=1.0), "word= or at="),
        (lambda: held(session=AgentSession(), user_away_timeout=1.0), "user_away_timeout"),
        (lambda: held(llm=ScriptedLLM("Hello.")), r"\['Hello.'\]"),
    ],
)
def test_a_script_that_cannot_be_says_what_to_write(wrong: Any, advice: str) -> None:
    with pytest.raises(UsageError, match=advice):
        wrong()


# The laws.


def test_a_broken_law_is_seen() -> None:
    call = held(says("A table"), interrupts("No", word="window"), llm=[WINDOW, "Done."])
    assert list(broken(call)) == []
    (cut,) = call.records("cut")
    _, pcm = call.played[0]
    call.played.append((cut.t + 0.1, pcm))
    assert any("after the cut" in law for law in broken(call))
    assert "a word was heard twice" in list(broken(call))
    call.played.pop()
    played, call.played = call.played, [each for each in call.played if 3 not in each[1]]
    assert any(law.endswith("these were heard: By the or") for law in broken(call))
    call.played = played
    call.caller.finals.append("and the bill")
    assert list(broken(call)) == ["words of the user are not in the history: 'and the bill'"]


def test_a_tool_call_without_an_answer_is_seen() -> None:
    def remember(call: Call) -> None:
        call.session.history.items.append(
            llm.FunctionCall(call_id="1", name="book", arguments="{}")
        )

    with pytest.raises(LawBroken, match="the call of book was answered 0 times"):
        held(does(remember))
