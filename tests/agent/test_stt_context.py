"""What a recogniser is told: words to expect, those that were found, and what has been said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from antiphon.simulate import ScriptedLLM, ScriptedSTT, calls
from tests.scripted import Call, at, check, hold, sentence, user
from tests.scripted_models import modelled

if TYPE_CHECKING:
    from livekit.agents import ConversationItemAddedEvent

    from antiphon import Agent

ONE = sentence(0)


class Told(ScriptedSTT):
    """A recogniser that takes all that it can be told."""

    def __init__(self, *, keyterms: bool = True, chat_context: bool = True) -> None:
        super().__init__()
        self.capabilities.keyterms = keyterms
        self.capabilities.chat_context = chat_context
        self.terms: list[list[str]] = []
        self.items: list[str] = []

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        self.terms.append(keyterms)

    def _push_conversation_item(self, ev: ConversationItemAddedEvent) -> None:
        if ev.item.type == "message":
            self.items.append(f"{ev.item.role}: {ev.item.text_content}")


def spoken(engine: Told, *acts: Any, **context: Any) -> Call:
    def agent(call: Call) -> Agent:
        made = modelled(call, replies=[ONE, ONE])
        made.update_options(stt=engine)
        return made

    call = hold(user(0.2, 0.8, "zaza"), *acts, agent=agent, stt_context_options=context)
    check(call)
    return call


def test_the_recogniser_is_told_which_words_to_expect_and_when_they_change() -> None:
    engine = Told()

    def change(call: Call) -> None:
        call.session.update_options(keyterms=["Zaza", "Acme"])
        call.session.update_options(endpointing_opts={"min_delay": 0.4})

    call = spoken(engine, at(0.1, change), keyterms=["Acme"])
    assert engine.terms == [["Acme"], ["Zaza", "Acme"]]
    assert call.session.keyterms == ["Zaza", "Acme"]


def test_a_recogniser_that_takes_another_ones_place_is_told_too() -> None:
    first, second = Told(), Told()

    def swap(call: Call) -> None:
        call.agent.update_options(stt=second)

    spoken(first, at(3.0, swap), user(4.0, 4.6, "zeze"), keyterms=["Acme"])
    assert (first.terms, second.terms) == ([["Acme"]], [["Acme"]])
    assert first.items == ["user: zaza", f"assistant: {ONE}"]
    assert second.items == ["user: zeze", f"assistant: {ONE}"]


def test_the_recogniser_follows_the_conversation_unless_it_must_not() -> None:
    followed = Told()
    spoken(followed)
    assert followed.items == ["user: zaza", f"assistant: {ONE}"]
    kept_out = Told()
    spoken(kept_out, forward_chat_context=False)
    unable = Told(chat_context=False)
    spoken(unable)
    assert kept_out.items == unable.items == []


def finding(*terms: str) -> ScriptedLLM:
    return ScriptedLLM([calls("record_keyterms", pending=[], confirm=list(terms), remove=[])])


def test_words_that_a_model_finds_in_what_was_said_are_expected_from_then_on() -> None:
    engine, model = Told(), finding("Zaza")
    call = spoken(engine, keyterms=["Acme"], keyterm_detection={"enabled": True, "llm": model})
    assert engine.terms == [["Acme"], ["Acme", "Zaza"]]
    assert call.session.keyterms == ["Acme", "Zaza"]
    assert "USER: zaza" in str(model.asked[0].messages()[-1].text_content)


@pytest.mark.parametrize("slow", [1e6, 20.0])
def test_a_model_that_finds_nothing_in_time_holds_nobody_up(slow: float) -> None:
    engine, model = Told(), finding("Zaza")
    model.first_token = slow
    call = spoken(engine, keyterm_detection={"enabled": True, "llm": model})
    assert engine.terms == []
    assert call.ended < 10.0


def test_a_recogniser_that_will_not_be_told_is_reported_and_understands_all_the_same() -> None:
    class Refuses(Told):
        def _update_session_keyterms(self, keyterms: list[str]) -> None:
            raise OSError("no more terms")

    def agent(call: Call) -> Agent:
        made = modelled(call, replies=[ONE])
        made.update_options(stt=Refuses())
        return made

    context: Any = {"keyterms": ["Acme"]}
    call = hold(user(0.2, 0.8, "zaza"), agent=agent, stt_context_options=context)
    check(call, errors=1)
    assert call.heard == ONE.split()
