"""A session with a realtime model: the same promises, by the same engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon import Agent
from tests.scripted import Call, check, hold, stories, user
from tests.scripted_realtime import ScriptedRealtime

if TYPE_CHECKING:
    from collections.abc import Callable


def spoken(**can: Any) -> Callable[[Call], Agent]:
    """An agent with a realtime model."""

    def make(call: Call) -> Agent:
        model = ScriptedRealtime(stories(), call.voice, **can)
        return Agent(instructions="Answer.", llm=model)

    return make


def test_the_model_answers_the_turns_that_it_ends_itself() -> None:
    call = hold(user(0.2, 0.8, "zaza zeze"), user(6.0, 6.6, "zizi"), agent=spoken())
    check(call)
    assert [m.role for m in call.messages] == ["user", "assistant"] * 2


def test_the_model_answers_the_turns_that_the_session_ends() -> None:
    call = hold(user(0.2, 0.8, "zaza zeze"), user(6.0, 6.6, "zizi"), agent=spoken(turn_detection=False))
    check(call)
    assert [m.role for m in call.messages] == ["user", "assistant"] * 2


def test_it_is_silent_at_once_when_the_user_speaks() -> None:
    call = hold(user(0.2, 0.8, "zaza zeze"), user(2.0, 2.6, "zizi"), agent=spoken())
    check(call)
    call = hold(user(0.2, 0.8, "zaza zeze"), user(2.0, 3.0, "zizi"), agent=spoken(turn_detection=False))
    check(call)
