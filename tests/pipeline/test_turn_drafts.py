"""The reply that is prepared while the end of the turn is still being decided."""

from antiphon.pipeline.observations import (
    Clear,
    Commit,
    Draft,
    Drop,
    Gone,
    Kind,
    VoiceStarted,
    VoiceStopped,
)
from antiphon.pipeline.turn_table import Rules
from tests.pipeline.test_turns import commit
from tests.pipeline.turning import Call

HAND = Rules(manual=True)


def test_a_reply_is_prepared_at_the_final_transcript_and_goes_out_with_the_turn() -> None:
    call = Call().voice(1.0, 2.0).words(2.125, "hello there").at(9.0)
    assert call.said == [(2.125, Draft("hello there")), (2.5, commit("hello there", drafted=True))]


def test_nothing_is_prepared_for_interim_words() -> None:
    call = Call().at(1.0, VoiceStarted(1.0)).words(1.75, "the", final=False)
    call.at(2.0, VoiceStopped(2.0))
    assert call.said == []
    call.words(2.25, "there")
    assert call.said == [(2.25, Draft("there"))]


def test_a_detector_that_lags_behind_the_recogniser_delays_no_preparing() -> None:
    call = Call().at(1.0, VoiceStarted(1.0)).words(2.25, "hello").at(2.5, VoiceStopped(2.0))
    assert call.said == [(2.25, Draft("hello")), (2.5, commit("hello", drafted=True))]


def test_one_answer_is_left_to_be_prepared_when_the_voice_has_stopped() -> None:
    call = Call().at(1.0, VoiceStarted(1.0))
    for n, word in enumerate("one two three four".split()):
        call.words(1.5 + n / 2, word)
    assert len(call.of(Draft)) == 2
    call.at(3.25, VoiceStopped(3.25))
    assert call.of(Draft)[2:] == [(3.25, Draft("one two three four"))]


def test_nothing_is_prepared_while_somebody_has_the_floor() -> None:
    call = Call(reply=Kind.PROTECTED).voice(1.0, 2.0).words(2.0, "hello").at(2.25)
    assert call.of(Draft) == []
    call.at(2.375, Gone(1))
    assert call.of(Draft) == [(2.375, Draft("hello"))]


def test_a_draft_is_dropped_when_its_words_change_and_kept_when_only_their_marks_do() -> None:
    call = Call().voice(1.0, 2.0).words(2.0, "hello").words(2.125, "you", final=False)
    assert call.said == [(2.0, Draft("hello")), (2.125, Drop())]
    call.words(2.25, "").at(9.0)
    assert call.said[2:] == [(2.25, Draft("hello")), (2.5, commit("hello", drafted=True))]


def test_a_draft_is_kept_when_the_voice_starts_again_without_new_words() -> None:
    call = Call().voice(1.0, 2.0).words(2.0, "hello").voice(2.25, 2.5).at(9.0)
    assert call.said == [(2.0, Draft("hello")), (3.0, commit("hello", drafted=True))]


def test_a_draft_is_dropped_when_another_speech_is_granted() -> None:
    call = Call().voice(1.0, 2.0).words(2.0, "hello")
    call.grant(Kind.SPEECH)
    assert call.of(Draft, Drop) == [(2.0, Draft("hello")), (2.0, Drop())]
    call.at(9.0)
    assert call.of(Commit) == [(2.5, commit("hello"))]


def test_no_turn_has_more_drafts_than_the_rules_say_and_the_next_begins_anew() -> None:
    call = Call(Rules(drafts=2)).voice(1.0, 2.0)
    for n in range(5):
        call.words(2.0 + n / 16, f"{n}")
    assert [d for _, d in call.of(Draft)] == [Draft("0"), Draft("0 1")]
    call.at(9.0).voice(10.0, 11.0).words(11.0, "hello").at(11.25, Clear())
    assert call.of(Draft, Drop)[-2:] == [(11.0, Draft("hello")), (11.25, Drop())]
    for n in range(3):
        call.words(12.0 + n / 16, f"{n}")
    assert len(call.of(Draft)) == 5, "what was thrown away does not count"


def test_nothing_is_prepared_for_long_turns_manual_turns_or_against_the_rules() -> None:
    long = Rules(draft_max_speech=0.5)
    for rules in (long, HAND, Rules(drafts=0)):
        call = Call(rules).voice(0.0, 1.0).words(1.0, "hello").at(9.0)
        assert call.of(Draft) == []
        assert not any(c.drafted for _, c in call.of(Commit) if isinstance(c, Commit))
