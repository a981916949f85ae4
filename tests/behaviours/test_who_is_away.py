"""A user is absent when both sides have long said nothing, and nothing is going on for them."""

from __future__ import annotations

import pytest

from tests.long_tools import agent
from tests.scripted import Call, at, check, hold, sentence, user
from tests.scripted_tools import calls

ONE, TWO = sentence(0), sentence(10)


def of_user(call: Call) -> list[tuple[str, float]]:
    return [(state.state, state.at) for state in call.states if state.who == "user"]


def test_who_waits_for_what_a_tool_finds_is_not_absent() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=agent([calls("search", "c", seconds=20.0)], [ONE], [TWO]),
        user_away_timeout=5.0,
    )
    check(call)
    assert [state for state, _ in of_user(call)] == ["speaking", "listening"]
    assert call.heard == f"{ONE} {TWO}".split()


def test_after_the_tool_the_whole_time_is_waited() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=agent([calls("search", "c", seconds=20.0)], [ONE], [TWO]),
        user_away_timeout=5.0,
        until=60.0,
    )
    last = call.records("gone")[-1].t
    state, since = of_user(call)[-1]
    assert state == "away"
    assert since == pytest.approx(last + 5.0)


def test_a_sign_of_life_brings_an_absent_user_back() -> None:
    call = hold(
        at(3.0, lambda call: call.session.reset_away_timer()),
        user_away_timeout=2.0,
        until=6.0,
    )
    assert of_user(call) == [("away", 2.0), ("listening", 3.0), ("away", 5.0)]


def test_where_nobody_is_ever_absent_a_sign_of_life_does_nothing() -> None:
    call = hold(at(3.0, lambda call: call.session.reset_away_timer()), until=6.0)
    assert of_user(call) == []
