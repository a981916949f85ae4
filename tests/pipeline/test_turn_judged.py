"""A voice over a reply, judged by a model: it interrupts when the model says so, and not before."""

from __future__ import annotations

from antiphon.pipeline.observations import (
    BargedIn,
    Commit,
    Cut,
    Gone,
    Keep,
    Kind,
    Pause,
    VoiceStarted,
    VoiceStopped,
)
from antiphon.pipeline.turn_table import Rules
from tests.pipeline.turning import Call

JUDGED = Rules(judged_after=1.0)


def talking(rules: Rules = JUDGED) -> Call:
    """A reply that has sounded since 0.0."""
    call = Call(rules)
    call.grant(Kind.ANSWER, audible=True)
    return call


def acts(call: Call) -> list[object]:
    """What was done to the reply and with the words."""
    kinds = (Pause, Cut, Keep, Commit)
    return [decision for _, decision in call.said if isinstance(decision, kinds)]


def test_words_over_a_reply_are_kept_while_the_model_says_nothing() -> None:
    call = talking().voice(2.0, 4.0).words(4.125, "no stop that now").at(9.0)
    assert acts(call) == [Keep("no stop that now", "en")]


def test_a_reply_pauses_the_moment_the_model_calls_a_voice_an_interruption() -> None:
    call = talking().at(2.0, VoiceStarted(2.0)).at(3.0, BargedIn())
    assert call.of(Pause) == [(3.0, Pause(1))]


def test_what_the_model_calls_an_interruption_ends_the_reply_even_when_it_only_says_yeah() -> None:
    call = talking().at(2.0, VoiceStarted(2.0)).at(2.5, BargedIn())
    call.at(3.0, VoiceStopped(3.0)).words(3.125, "yeah").at(9.0)
    assert acts(call) == [Pause(1), Cut(1, "voice"), Commit("yeah", language="en", drafted=True)]


def test_words_that_came_before_the_verdict_end_the_reply_with_it() -> None:
    call = talking().at(2.0, VoiceStarted(2.0)).words(2.5, "no stop", final=False)
    assert acts(call.at(3.0, BargedIn())) == [Cut(1, "voice")]


def test_a_voice_in_the_first_moments_of_a_reply_is_judged_by_its_words() -> None:
    call = talking().voice(0.5, 2.0).words(2.125, "no stop that now").at(2.25)
    assert Cut(1, "voice") in acts(call)


def test_words_over_a_reply_that_ended_meanwhile_are_answered() -> None:
    call = talking().at(2.0, VoiceStarted(2.0)).at(3.0, Gone(1)).at(4.0, VoiceStopped(4.0))
    call.words(4.125, "and what then").at(9.0)
    assert [c.text for _, c in call.of(Commit) if isinstance(c, Commit)] == ["and what then"]


def test_a_verdict_on_a_voice_that_is_over_changes_nothing() -> None:
    call = talking().voice(2.0, 3.0).words(3.125, "no stop that now").at(6.0, BargedIn()).at(9.0)
    assert acts(call) == [Keep("no stop that now", "en")]


def test_the_next_voice_over_the_same_reply_is_judged_anew() -> None:
    call = talking().voice(2.0, 3.0).words(3.125, "mm-hmm").at(6.0, VoiceStarted(6.0))
    call.words(6.5, "no stop", final=False)
    assert acts(call.at(7.0, BargedIn())) == [Keep("mm-hmm", "en"), Cut(1, "voice")]


def test_without_a_model_any_more_words_decide_again() -> None:
    call = talking().at(2.0, VoiceStarted(2.0))
    call.machine.rules = Rules()
    assert Cut(1, "voice") in acts(call.words(2.5, "no stop that now"))
