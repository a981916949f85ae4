"""A detector that reports the end of a voice late, but tells meanwhile that it hears none."""

from __future__ import annotations

from antiphon.pipeline.observations import (
    Audible,
    Kind,
    Pause,
    VoiceFaded,
    VoiceStarted,
    VoiceStopped,
)
from antiphon.pipeline.turn_table import Rules
from tests.pipeline.turning import Call


def speaking() -> Call:
    """A reply that has sounded since 0.0."""
    return Call(Rules(min_duration=0.5), reply=Kind.ANSWER).at(0.0, Audible(1))


def test_a_sound_that_is_over_before_the_detector_says_so_is_as_short_as_it_was() -> None:
    call = speaking()
    call.at(2.0, VoiceStarted(2.0)).at(2.25, VoiceFaded(2.125)).at(3.0, VoiceStopped(2.125)).at(9.0)
    assert not call.of(Pause)


def test_a_voice_that_is_back_before_its_end_was_reported_lasts_on() -> None:
    call = speaking()
    call.at(2.0, VoiceStarted(2.0)).at(2.25, VoiceFaded(2.125)).at(2.75, VoiceFaded(None))
    assert call.of(Pause) == [(2.75, Pause(1))]


def test_a_voice_that_fades_after_it_has_lasted_long_enough_has_paused_the_reply() -> None:
    call = speaking()
    call.at(2.0, VoiceStarted(2.0)).at(2.75, VoiceFaded(2.625)).at(4.0)
    assert call.of(Pause) == [(2.5, Pause(1))]
