"""When the user's turn ends, with which words, and what is prepared meanwhile."""

from antiphon.pipeline.observations import (
    Audible,
    Clear,
    Closed,
    Commit,
    CommitNow,
    Draft,
    Gone,
    Interrupt,
    Keep,
    Kind,
    Score,
    Tick,
    Unrecognised,
    VoiceStarted,
    VoiceStopped,
)
from antiphon.pipeline.turn_table import Rules, User
from antiphon.pipeline.turns import Turns
from tests.pipeline.turning import Call

HAND = Rules(manual=True)


def commit(text: str, *, drafted: bool = False, answer: bool = True) -> Commit:
    return Commit(text, drafted, answer, "en")


def test_a_turn_ends_min_delay_after_the_last_voiced_frame_however_late_it_is_noticed() -> None:
    call = Call().at(1.25, VoiceStarted(1.0)).at(2.375, VoiceStopped(2.125))
    call.words(2.5, "book a table").at(9.0)
    assert call.of(Commit) == [(2.625, commit("book a table", drafted=True))]
    assert call.states == [(1.25, "speaking"), (2.375, "listening")]


def test_the_state_of_the_user_is_told_with_the_time_since_when_it_is_true() -> None:
    machine = Turns()
    (speaking,) = machine.observe(VoiceStarted(1.0), 1.25)
    listening, _ = machine.observe(VoiceStopped(2.0), 2.25)
    assert (speaking.since, listening.since) == (1.0, 2.0)  # type: ignore[union-attr]


def test_a_final_that_comes_after_the_delay_ends_the_turn_at_once() -> None:
    call = Call().voice(1.0, 2.0).words(3.75, "hello").at(9.0)
    assert call.said == [(3.75, commit("hello"))]


def test_an_unlikely_end_of_turn_waits_max_delay_and_a_likely_one_min_delay() -> None:
    for probability, end in ((0.25, 5.0), (0.75, 2.5)):
        call = Call().voice(1.0, 2.0).at(2.0, Score(probability)).words(2.25, "my name is").at(9.0)
        assert call.of(Commit) == [(end, commit("my name is", drafted=True))]


def test_a_score_holds_for_its_own_silence_only() -> None:
    call = Call().voice(1.0, 2.0).at(2.0, Score(0.25)).words(2.25, "my name is").voice(3.0, 4.0)
    assert call.at(9.0).of(Commit) == [(4.5, commit("my name is", drafted=True))]
    call = Call().voice(1.0, 2.0).at(2.0, Score(0.25)).words(2.25, "my name is").at(19.0)
    call.words(20.0, "and then").at(30.0)
    assert call.of(Commit)[1:] == [(20.5, commit("and then", drafted=True))]


def test_a_user_who_goes_on_after_a_pause_that_was_almost_the_end_has_one_turn() -> None:
    call = Call().voice(1.0, 2.0).words(2.125, "book a table").voice(2.484375, 3.0)
    call.words(3.125, "for two").at(9.0)
    assert call.of(Commit) == [(3.5, commit("book a table for two", drafted=True))]


def test_interim_words_of_a_recogniser_that_never_finishes_are_committed() -> None:
    call = Call().at(1.0, VoiceStarted(1.0)).words(1.5, "book a", final=False)
    call.at(2.0, VoiceStopped(2.0)).words(2.25, "book a table", final=False).at(9.0)
    assert call.said == [(4.75, commit("book a table"))]


def test_a_voice_of_which_no_word_is_recognised_ends_quietly_and_is_told() -> None:
    call = Call().voice(1.0, 2.5).at(9.0)
    assert call.said == [(5.0, Unrecognised(1.5))]
    assert call.machine.user is User.QUIET


def test_what_was_not_recognised_is_not_counted_with_the_next_turn() -> None:
    call = Call().voice(1.0, 1.25).at(30.0)
    call.voice(60.0, 61.0).words(61.25, "hello").at(90.0)
    call.voice(100.0, 102.0).at(120.0)
    seconds = [(1.0 + 0.25 + 2.5, Unrecognised(0.25)), (104.5, Unrecognised(2.0))]
    assert call.of(Unrecognised) == seconds
    assert call.of(Draft) == [(61.25, Draft("hello"))], "a cough of long ago makes no turn long"


def test_words_that_come_much_later_than_any_voice_wait_for_their_own_end() -> None:
    call = Call().voice(1.0, 1.25).words(30.0, "hello").words(30.25, "there").at(40.0)
    assert call.of(Commit) == [(30.75, commit("hello there", drafted=True))]


def test_words_just_after_their_voice_was_given_up_are_committed_at_once() -> None:
    call = Call().voice(1.0, 2.0).at(4.5).words(4.75, "hello").at(9.0)
    assert call.of(Commit) == [(4.75, commit("hello"))]


def test_words_without_any_voice_end_min_delay_after_the_last_of_them() -> None:
    call = Call().words(1.0, "book", final=False).words(1.25, "book a table").at(9.0)
    assert call.of(Commit) == [(1.75, commit("book a table", drafted=True))]
    call.words(10.0, "for", final=False).at(20.0)
    assert call.of(Commit)[1:] == [(12.5, commit("for"))]


def test_a_detector_that_hangs_does_not_keep_the_words() -> None:
    call = Call().at(1.0, VoiceStarted(1.0)).words(2.0, "hello").words(3.0, "world").at(20.0)
    assert call.of(Commit) == [(8.0, commit("hello world", drafted=True))]
    call.words(21.0, "again").at(30.0, VoiceStopped(29.0)).at(40.0)
    assert call.of(Commit)[1:] == [(21.5, commit("again", drafted=True))]


def test_a_late_final_is_stripped_of_an_interim_that_was_committed() -> None:
    call = Call().voice(1.0, 2.0).words(2.0, "Hello, there", final=False).at(9.0)
    call.words(9.0, "hello there my friend").at(20.0)
    assert [c for _, c in call.of(Commit)] == [
        commit("Hello, there"),
        commit("my friend", drafted=True),
    ]


def test_a_late_final_that_says_something_else_is_repeated_rather_than_lost() -> None:
    call = Call().voice(1.0, 2.0).words(2.0, "hello there", final=False).at(9.0)
    call.words(9.0, "yellow bear").at(20.0)
    assert [c for _, c in call.of(Commit)] == [
        commit("hello there"),
        commit("yellow bear", drafted=True),
    ]


def test_late_finals_that_come_in_pieces_repeat_nothing_of_what_was_committed() -> None:
    call = Call().voice(1.0, 2.0).words(2.0, "a table for two", final=False).at(5.0)
    call.words(5.0, "A table").words(5.25, "For two, please.").at(9.0)
    texts = [c.text for _, c in call.of(Commit) if isinstance(c, Commit)]
    assert texts == ["a table for two", "please."]


def test_an_interim_committed_piece_by_piece_is_not_repeated_by_its_final() -> None:
    call = Call(HAND).voice(1.0, 2.0).words(2.0, "one", final=False).at(2.25, CommitNow())
    call.voice(3.0, 4.0).words(4.0, "one two", final=False).at(4.25, CommitNow())
    call.words(5.0, "one two").at(30.0)
    assert [c for _, c in call.of(Commit)] == [commit("one"), commit("two")]


def test_a_second_yes_is_heard_when_the_first_never_got_its_final_transcript() -> None:
    call = Call().voice(1.0, 1.5).words(1.5, "yes", final=False).at(4.0)
    call.at(4.125, VoiceStarted(3.9375)).at(5.25, VoiceStopped(5.25)).words(
        5.25, "yes", final=False
    ).words(5.5, "yes").at(9.0)
    assert [c.text for _, c in call.of(Commit) if isinstance(c, Commit)] == ["yes", "yes"]


def test_a_final_that_comes_before_the_next_voice_is_not_heard_twice_however_late() -> None:
    call = Call().voice(1.0, 1.5).words(1.5, "yes", final=False).at(4.5).words(8.0, "yes")
    call.voice(9.0, 9.5).words(9.5, "yes").at(20.0)
    assert [c.text for _, c in call.of(Commit) if isinstance(c, Commit)] == ["yes", "yes"]


def test_a_new_voice_does_not_repeat_the_words_of_an_utterance_that_goes_on() -> None:
    call = Call(HAND).voice(1.0, 2.0).words(2.0, "one", final=False).at(2.25, CommitNow())
    call.voice(3.0, 4.0).words(4.0, "one two", final=False).voice(9.0, 10.0)
    call.words(10.0, "one two three").at(11.0, CommitNow())
    assert [c for _, c in call.of(Commit)] == [commit("one"), commit("two three")]


def test_an_interim_that_was_taken_back_strips_nothing() -> None:
    call = Call().voice(1.0, 2.0).words(2.0, "one").words(2.0, "two", final=False)
    call.words(2.25, "", final=False).at(9.0)
    call.words(9.0, "two three").at(20.0)
    assert [c.text for _, c in call.of(Commit) if isinstance(c, Commit)] == ["one", "two three"]


def test_closing_keeps_every_word_once_and_gives_up_what_was_asked_for() -> None:
    call = Call().voice(1.0, 2.0).words(2.0, "one").words(2.125, "two", final=False)
    call.at(2.25, CommitNow(9.0), Closed(), Closed())
    assert not call.machine.committing
    assert call.at(30.0).of(Commit, Keep) == [(2.25, Keep("one two", "en"))]


def test_nothing_is_decided_after_the_close_and_late_words_are_kept() -> None:
    call = Call(reply=Kind.ANSWER).at(0.5, Audible(1)).voice(2.0, 2.125).at(2.25, Closed())
    call.words(2.5, "wait", final=False).words(2.75, "wait for me")
    call.voice(3.0, 4.0).words(4.0, "hello").at(5.0, CommitNow(), Interrupt(), Gone(1))
    call.grant(Kind.SPEECH)
    call.at(30.0)
    assert call.since(2.25) == [Keep("wait for me", "en"), Keep("hello", "en")]
    assert call.states[-1] == (5.0, "listening")
    assert not call.machine.unfinished


def test_a_close_is_the_end_whatever_the_user_does() -> None:
    for before in ([], [VoiceStarted(1.0)], [VoiceStarted(1.0), VoiceStopped(1.0)]):
        call = Call().at(1.0, *before, Closed()).voice(2.0, 3.0).at(30.0)
        assert call.machine.user is User.CLOSED
        assert call.decisions == []


def test_other_rules_hold_for_the_turn_that_is_about_to_end() -> None:
    call = Call().voice(1.0, 2.0).words(2.125, "hello").at(2.25)
    call.machine.rules = Rules(min_delay=2.0)
    assert call.at(9.0, Tick(2.5)).of(Commit) == [(4.0, commit("hello", drafted=True))]


# Turns that the application ends.


def test_only_the_application_ends_a_manual_turn() -> None:
    call = Call(HAND).voice(1.0, 2.0).words(2.0, "one").at(9.0).words(9.0, "two").at(20.0)
    assert call.of(Commit, Keep) == []
    call.at(20.0, CommitNow(2.0, answer=False)).at(30.0)
    assert call.of(Commit) == [(20.0, commit("one two", answer=False))]


def test_commit_now_waits_for_the_final_of_a_pending_interim() -> None:
    call = Call(HAND).voice(1.0, 2.0).words(2.0, "one", final=False).at(2.25, CommitNow(2.0))
    call.words(3.0, "one two").at(9.0)
    assert call.of(Commit) == [(3.0, commit("one two"))]


def test_commit_now_takes_the_interim_when_its_time_is_over() -> None:
    call = Call(HAND).voice(1.0, 2.0).words(2.0, "one", final=False).at(2.25, CommitNow(5.0))
    call.at(9.0).words(9.0, "one two").at(20.0, CommitNow()).at(30.0)
    assert call.of(Commit) == [(7.25, commit("one")), (20.0, commit("two"))]


def test_commit_now_while_the_user_speaks_leaves_the_rest_to_the_next_turn() -> None:
    call = Call().at(1.0, VoiceStarted(1.0)).words(1.5, "one").at(2.0, CommitNow(0.5))
    call.words(3.0, "two").at(3.5, VoiceStopped(3.5)).at(9.0)
    assert call.of(Commit) == [
        (2.5, commit("one", drafted=True)),
        (4.0, commit("two", drafted=True)),
    ]


def test_commit_now_with_no_word_at_all_ends_the_turn_and_commits_nothing() -> None:
    call = Call(HAND).voice(1.0, 2.0).at(2.0, CommitNow(1.0)).at(9.0)
    assert call.of(Commit) == []
    assert call.machine.user is User.QUIET
    assert not call.machine.committing


def test_a_turn_that_ends_by_itself_settles_a_commit_that_was_asked_for() -> None:
    call = (
        Call().at(1.0, VoiceStarted(1.0)).words(1.5, "one").at(1.75, CommitNow(9.0, answer=False))
    )
    call.at(2.0, VoiceStopped(2.0)).at(2.75)
    assert call.of(Commit) == [(2.5, commit("one", drafted=True, answer=False))]
    assert not call.machine.committing
    call.voice(3.0, 4.0).words(4.0, "two", final=False).at(10.75)
    assert call.of(Commit)[1:] == [(6.5, commit("two"))], "the next turn is not hurried by it"


def test_commit_now_waits_as_long_as_it_says_whatever_the_recogniser_is_given() -> None:
    call = Call().voice(1.0, 2.0).words(2.0, "one", final=False).at(2.25, CommitNow(9.0))
    call.words(8.0, "one two").at(30.0)
    assert call.of(Commit) == [(8.0, commit("one two"))]


def test_cleared_words_are_gone_even_when_their_final_comes_late() -> None:
    call = Call(HAND).voice(1.0, 2.0).words(2.0, "one").words(2.0, "two", final=False)
    call.at(2.25, CommitNow(9.0), Clear()).words(3.0, "two three").at(9.0, CommitNow()).at(30.0)
    assert call.of(Commit) == [(9.0, commit("three"))]


def test_clearing_twice_does_not_bring_back_what_was_handed_on() -> None:
    call = Call().voice(1.0, 2.0).words(2.0, "one", final=False).at(9.0, Clear())
    call.words(9.25, "one").at(20.0)
    assert call.of(Commit) == [(4.5, commit("one"))]


def test_what_makes_no_sense_changes_nothing() -> None:
    call = Call().at(1.0, VoiceStopped(1.0), Tick(1.0), Audible(7), Gone(7), Interrupt(force=True))
    call.at(1.5, Clear(), CommitNow()).words(2.0, "").words(2.0, "", final=False)
    call.at(3.0, VoiceStarted(3.0), VoiceStarted(3.0))
    assert call.said == []
    assert call.states == [(3.0, "speaking")]
