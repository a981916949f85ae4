"""A session with a realtime model: the same promises, by the same engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from antiphon import Agent
from tests.scripted import RATE, Call, at, check, cough, hold, stories, user
from tests.scripted_producers import its_turns, model_of, our_turns, our_words, told
from tests.scripted_realtime import ScriptedRealtime

if TYPE_CHECKING:
    from tests.scripted import Making

PRODUCERS = pytest.mark.parametrize("agent", [its_turns, our_turns, our_words])
OURS = pytest.mark.parametrize("agent", [our_turns, our_words])


@PRODUCERS
def test_each_turn_of_the_user_is_answered_once(agent: Making) -> None:
    call = hold(user(0.2, 0.8, "zaza zeze"), user(6.0, 6.6, "zizi"), agent=agent)
    check(call)
    assert [m.role for m in call.messages] == ["user", "assistant"] * 2


@PRODUCERS
def test_the_model_is_told_at_which_sample_it_was_cut(agent: Making) -> None:
    call = hold(user(0.2, 0.8, "zaza zeze"), user(2.0, 3.0, "zizi"), agent=agent)
    check(call)
    [(_, name, milliseconds, text)] = told(call, "truncate")
    cut = call.messages[1]
    assert (cut.id, cut.text_content, cut.interrupted) == (name, text.strip(), True)
    [stopped] = call.records("cut")
    heard = sum(len(pcm) for began, pcm in call.played if began < stopped.t)
    assert milliseconds == 1000 * heard // RATE


@OURS
def test_the_model_goes_on_after_a_cough(agent: Making) -> None:
    call = hold(user(0.2, 0.8, "zaza zeze"), cough(2.0), agent=agent)
    check(call)
    assert not told(call, "truncate") + told(call, "interrupt")
    assert [m.interrupted for m in call.messages] == [False, False]


def test_words_that_come_after_the_answer_stand_where_their_turn_began() -> None:
    def late(call: Call) -> Agent:
        model = ScriptedRealtime(stories(), call.voice)
        model.pace.transcribed = 4.0
        return Agent(instructions="Answer.", llm=model)

    call = hold(user(0.2, 0.8, "zaza zeze"), user(7.0, 7.6, "zizi"), agent=late, until=14.0)
    check(call)
    assert [m.role for m in call.messages] == ["user", "assistant"] * 2
    added = [event.item.role for event in call.reported("conversation_item_added")[1:]]
    assert added == ["assistant", "user"] * 2


@PRODUCERS
def test_the_session_of_the_model_is_closed_with_ours(agent: Making) -> None:
    call = hold(user(0.2, 0.8, "zaza"), at(1.0, lambda call: call.session.interrupt()), agent=agent)
    assert [session.closed for session in model_of(call.agent).sessions] == [True]
