"""Digits from the keys of a telephone: when they are read, and what becomes of too few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from antiphon import ToolError
from antiphon.beta.workflows import GetDtmfResult, GetDtmfTask
from antiphon.workflows.dtmf import DtmfEvent
from tests.agent.workflows.asking import AFTER, TURNS, ask, calls, scripted, sentence
from tests.scripted import at, user
from tests.scripted_tools import story

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.scripted import Act, Call

DIGITS, AGAIN = sentence(600), sentence(610)
ASKED = 4.0  # seconds of the call; by then the task has asked for the digits


def keys(*presses: tuple[float, str]) -> list[list[Act]]:
    """The user presses a key at each of these seconds after `ASKED`."""

    def press(key: str) -> Any:
        return lambda call: call.session.current_agent._press(DtmfEvent(key))

    return [at(ASKED + moment, press(key)) for moment, key in presses]


def typed(
    presses: Sequence[tuple[float, str]],
    *more: list[Act],
    steps: Sequence[Sequence[Any]] = ([DIGITS],),
    said: Sequence[str] = TURNS[:1],
    **options: Any,
) -> tuple[Call, list[Any]]:
    """A call in which three digits are asked for and some keys are pressed."""
    call, came = ask(
        lambda call: scripted(GetDtmfTask(num_digits=3, **options), call, steps),
        said,
        *keys(*presses),
        *more,
        until=40.0,
    )
    assert call.text("assistant") == call.heard
    return call, came


def ended(call: Call) -> float:
    """Seconds from `ASKED` until the agent that waited is in charge again."""
    return call.records("handoff")[-1].t - ASKED


def test_keys_are_read_when_no_other_has_come_for_a_while() -> None:
    call, came = typed([(0.0, "1"), (3.9, "2"), (7.0, "3")])
    assert came == [GetDtmfResult("1 2 3")]
    assert ended(call) == pytest.approx(7.0 + 4.0)
    assert story(call)[-1] == f"assistant: {AFTER}"  # who waited says what it has to


def test_the_stop_key_ends_it_at_once() -> None:
    call, came = typed([(0.0, "1"), (0.5, "2"), (1.0, "3"), (1.5, "#")])
    assert came == [GetDtmfResult("1 2 3")]
    assert ended(call) == pytest.approx(1.5)


def test_too_few_keys_are_an_error_for_who_asked() -> None:
    _, came = typed([(0.0, "1"), (1.0, "#")])
    [error] = came
    assert isinstance(error, ToolError)
    assert "3 digits are needed, 1 came" in error.message


def test_the_time_does_not_run_while_the_user_speaks() -> None:
    speech = user(ASKED + 2.0, ASKED + 8.0, "zeze")
    call, came = typed([(0.0, "1"), (0.5, "2"), (1.0, "3")], speech, steps=[[DIGITS], [AGAIN]])
    assert came == [GetDtmfResult("1 2 3")]
    again = call.records("gone")[2].t - ASKED  # the task has answered
    assert ended(call) == pytest.approx(again + 4.0)


def test_no_key_at_all_is_waited_for_without_end() -> None:
    call, came = typed(
        [], steps=[[DIGITS], [calls("record_inputs", inputs=["4", "5", "6"])]], said=TURNS[:2]
    )
    assert came == [GetDtmfResult("4 5 6")]
    assert story(call)[-1] == f"assistant: {AFTER}"


def test_digits_said_aloud_must_be_as_many_as_are_wanted() -> None:
    few, all_three = (calls("record_inputs", inputs=list(said)) for said in ("45", "456"))
    call, came = typed([], steps=[[DIGITS], [few], [AGAIN], [all_three]], said=TURNS[:3])
    assert came == [GetDtmfResult("4 5 6")]
    assert any("3 digits are needed, not 2" in line for line in story(call))


def test_pressed_keys_are_confirmed_where_that_is_asked_for() -> None:
    agreed = calls("confirm_inputs", inputs=["1", "2", "3"])
    call, came = typed(
        [(0.0, "1"), (0.5, "2"), (1.0, "3"), (1.5, "#")],
        user(ASKED + 6.0, ASKED + 6.6, "zeze"),
        steps=[[DIGITS], [AGAIN], [agreed]],
        ask_for_confirmation=True,
    )
    assert came == [GetDtmfResult("1 2 3")]
    assert "user: <dtmf_inputs>1 2 3</dtmf_inputs>" in story(call)
    assert story(call).index(f"assistant: {AGAIN}") < story(call).index("user: zeze")


def test_a_key_after_the_end_changes_nothing() -> None:
    task: list[Any] = []

    def late(call: Call) -> None:
        task[0]._press(DtmfEvent("9"))

    def remember(call: Call) -> None:
        task.append(call.session.current_agent)

    _, came = typed(
        [(0.0, "1"), (0.2, "2"), (0.4, "3"), (0.6, "#")], at(ASKED, remember), at(ASKED + 3.0, late)
    )
    assert came == [GetDtmfResult("1 2 3")]
