"""Endpointing that follows the user: who pauses for longer is waited for longer."""

from __future__ import annotations

import pytest

from antiphon.pipeline.observations import Audible, Commit, Gone, Kind
from antiphon.pipeline.turn_table import Rules
from tests.pipeline.turning import Call

LEARNS = Rules(memory=0.5, min_delay=0.5, max_delay=3.0)


def delay(call: Call, at: float = 60.0) -> float:
    """Seconds from the last voice to the end of another turn of the user's."""
    call.voice(at, at + 1.0).words(at + 1.125, "so it ends").at(at + 9.0)
    return call.of(Commit)[-1][0] - (at + 1.0)


def turn(rules: Rules = LEARNS) -> Call:
    """The user has said something from 1.0 to 2.0."""
    return Call(rules).voice(1.0, 2.0).words(2.125, "well my name is")


@pytest.mark.parametrize(("pause", "learned"), [(0.25, 0.5), (1.0, 0.75), (3.0, 1.75), (4.0, 0.5)])
def test_a_pause_before_the_user_goes_on_makes_the_next_wait_longer_and_never_shorter(
    pause: float, learned: float
) -> None:
    call = turn().voice(2.0 + pause, 6.5).words(6.625, "Ada")
    assert delay(call) == learned


def test_pauses_are_averaged_by_the_weight_of_earlier_ones() -> None:
    rules = Rules(memory=0.75, min_delay=0.5, max_delay=3.0)
    call = turn(rules).voice(3.5, 4.5).words(4.625, "Ada").voice(5.5, 6.5).words(6.625, "Lovelace")
    assert delay(call) == 0.8125  # (0.75 * 0.5 + 0.25 * 1.5) * 0.75 + 0.25 * 1.0


def answered(call: Call, sounds: float, ends: float) -> Call:
    call.at(2.5)
    gen = call.grant(Kind.ANSWER)
    call.at(sounds, Audible(gen))
    return call.at(ends, Gone(gen)) if ends > sounds else call


def test_who_goes_on_just_when_the_agent_begins_was_only_pausing() -> None:
    call = answered(turn(), 2.75, 0.0).voice(3.0, 4.0).words(4.125, "Ada")
    assert delay(call) == 0.75


def test_who_interrupts_later_or_answers_the_agent_has_not_paused() -> None:
    call = answered(turn(), 2.625, 0.0).voice(4.5, 5.5).words(5.625, "stop it")
    assert delay(call) == 0.5
    call = answered(turn(), 2.625, 3.5).voice(4.5, 5.5).words(5.625, "thank you")
    assert delay(call) == 0.5


def test_hums_during_a_reply_are_no_pauses() -> None:
    call = answered(turn(), 2.625, 0.0).voice(4.5, 4.625).voice(5.5, 5.625).words(5.75, "mm-hmm")
    call.at(9.0, Gone(1))
    assert delay(call) == 0.5


def test_the_first_voice_ends_no_pause_and_fixed_delays_stay_as_they_are() -> None:
    assert delay(Call(LEARNS), 1.0) == 0.5
    assert delay(turn(Rules()).voice(3.0, 4.0).words(4.125, "Ada")) == 0.5
