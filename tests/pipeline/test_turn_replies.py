"""What the user's sounds and words, and the application, do to the reply on the floor."""

from itertools import product

from antiphon.pipeline.observations import (
    Audible,
    Clear,
    Commit,
    CommitNow,
    Cut,
    Gone,
    Interrupt,
    Keep,
    Kind,
    Pause,
    Protect,
    Resume,
    Transcript,
    Unrecognised,
    VoiceStarted,
    VoiceStopped,
)
from antiphon.pipeline.turn_table import Floor, Rules, User
from tests.pipeline.turning import Call

HAND = Rules(manual=True)


def speaking(rules: Rules | None = None, kind: Kind = Kind.ANSWER) -> Call:
    """A reply that has been audible since 0.0."""
    return Call(rules, reply=kind).at(0.0, Audible(1))


def commit(text: str, *, drafted: bool = False) -> Commit:
    return Commit(text, drafted, True, "en")


# Sound.


def test_sound_pauses_an_audible_reply_after_min_duration_and_silence_resumes_it() -> None:
    call = speaking().voice(1.0, 1.5).at(20.0)
    assert call.said == [(1.2, Pause(1)), (2.5, Resume(1)), (4.0, Unrecognised(0.5))]
    assert call.states == [
        *((0.0, "thinking"), (0.0, "speaking"), (1.0, "speaking"), (1.2, "listening")),
        *((1.5, "listening"), (2.5, "speaking")),
    ]


def test_a_sound_shorter_than_min_duration_does_nothing_to_a_reply() -> None:
    assert speaking().voice(1.0, 1.125).at(3.0).said == []


def test_a_sound_noticed_after_min_duration_pauses_at_once() -> None:
    call = speaking().at(1.5, VoiceStarted(1.0))
    assert call.said == [(1.5, Pause(1))]


def test_endless_noise_holds_a_reply_for_noise_seconds_and_no_longer() -> None:
    call = speaking().at(1.0, VoiceStarted(1.0)).at(90.0)
    assert call.said == [(1.2, Pause(1)), (4.0, Resume(1))]


def test_endless_noise_holds_a_reply_granted_during_it_no_longer() -> None:
    call = Call().at(1.0, VoiceStarted(1.0)).at(2.0)
    call.grant(Kind.ANSWER)
    call.at(4.5, Audible(1)).at(90.0)
    assert call.said == [(2.0, Pause(1)), (4.0, Resume(1))]
    call.at(90.0, Gone(1))
    call.grant(Kind.SPEECH, audible=True)
    call.at(99.0)
    assert call.said[2:] == [(90.0, Pause(2)), (90.0, Resume(2))]


def test_words_after_noise_that_a_reply_outlasted_cut_it_at_once() -> None:
    call = speaking().at(1.0, VoiceStarted(1.0)).at(5.0).words(6.0, "stop", final=False)
    assert call.said[2:] == [(6.0, Cut(1, "voice"))]


def test_without_resuming_sound_alone_cuts_unless_words_are_asked_for() -> None:
    call = speaking(Rules(false_interruption=None)).voice(1.0, 2.0).at(2.25)
    assert call.said == [(1.2, Cut(1, "voice"))]
    call = speaking(Rules(false_interruption=None, min_words=2)).voice(1.0, 2.0).at(9.0)
    assert call.of(Cut, Pause) == []
    call = Call(Rules(false_interruption=None), reply=Kind.SPEECH).voice(1.0, 1.25).at(9.0)
    assert call.of(Cut, Pause, Resume) == [(1.0, Pause(1)), (1.75, Resume(1))]


def test_voice_holds_a_reply_before_its_first_sound_at_once() -> None:
    for kind in (Kind.ANSWER, Kind.SPEECH):
        call = Call(reply=kind).voice(1.0, 1.25).at(9.0)
        assert call.of(Pause, Resume) == [(1.0, Pause(1)), (2.25, Resume(1))]


def test_a_short_cough_before_the_first_sound_delays_a_reply_no_longer_than_it_lasts() -> None:
    for kind in (Kind.ANSWER, Kind.SPEECH):
        call = Call(reply=kind).voice(1.0, 1.125).at(9.0)
        assert call.of(Pause, Resume) == [(1.0, Pause(1)), (1.125, Resume(1))]
        call = Call(reply=kind).voice(1.0, 1.5).voice(1.75, 1.875).at(9.0)
        assert call.of(Pause, Resume) == [(1.0, Pause(1)), (2.875, Resume(1))]  # more than a cough


def test_the_silence_after_a_pause_counts_from_when_the_detector_notices_it() -> None:
    call = speaking().at(1.0, VoiceStarted(1.0)).at(2.0, VoiceStopped(1.5)).at(9.0)
    assert call.of(Pause, Resume) == [(1.2, Pause(1)), (3.0, Resume(1))]


# Words.


def test_words_end_a_reply_when_the_voice_has_lasted() -> None:
    call = speaking().at(1.0, VoiceStarted(1.0)).words(1.125, "stop", final=False).at(1.25)
    assert call.said == [(1.2, Cut(1, "voice"))]
    call = speaking().at(1.0, VoiceStarted(1.0)).words(1.5, "stop", final=False)
    assert call.said == [(1.2, Pause(1)), (1.5, Cut(1, "voice"))]


def test_a_short_stop_ends_a_reply_at_its_endpoint() -> None:
    call = speaking().voice(1.0, 1.125).words(1.25, "Stop!").at(9.0)
    assert call.said == [(1.625, Cut(1, "turn")), (1.625, commit("Stop!"))]


def test_a_hum_during_a_reply_is_kept_and_the_reply_goes_on() -> None:
    call = speaking().voice(1.0, 1.5).words(1.625, "mm-hmm").at(9.0)
    assert call.said == [(1.2, Pause(1)), (2.0, Keep("mm-hmm", "en")), (2.0, Resume(1))]
    call = speaking().voice(1.0, 1.125).words(1.25, "mm-hmm").at(9.0)
    assert call.said == [(1.625, Keep("mm-hmm", "en"))]


def test_yes_is_an_answer_after_a_question_and_when_nobody_speaks() -> None:
    call = speaking().voice(1.0, 1.5, answers=True).words(1.625, "yes").at(9.0)
    assert call.of(Pause, Cut, Resume) == [(1.2, Pause(1)), (1.625, Cut(1, "voice"))]
    assert call.of(Commit, Keep) == [(2.0, commit("yes", drafted=True))]
    call = Call().voice(1.0, 1.5).words(1.625, "yes").at(9.0)
    assert call.of(Commit) == [(2.0, commit("yes", drafted=True))]


def test_yes_stays_an_answer_when_the_voice_starts_again() -> None:
    call = speaking().voice(1.0, 1.125, answers=True).voice(1.5, 1.625).words(1.75, "yes").at(9.0)
    assert call.of(Commit, Keep) == [(2.125, commit("yes"))]
    call = speaking().voice(1.0, 1.125, answers=True).at(9.0).voice(9.0, 9.125)
    assert call.words(9.25, "yes").at(20.0).of(Commit, Keep) == [(9.625, Keep("yes", "en"))]


def test_what_follows_an_answer_in_the_same_breath_is_no_answer() -> None:
    call = speaking().at(1.0, VoiceStarted(1.0, answers=True)).words(1.125, "yes", final=False)
    call.at(1.125, CommitNow())
    call.grant(Kind.ANSWER, audible=True)
    call.words(2.0, "yes mm-hmm", final=False).at(2.5, VoiceStopped(2.5)).at(9.0)
    assert call.of(Commit, Keep) == [(1.125, commit("yes")), (5.0, Keep("mm-hmm", "en"))]


def test_a_reply_granted_into_a_silence_long_enough_is_not_held() -> None:
    call = Call().voice(1.0, 1.5).at(2.75)
    call.grant(Kind.SPEECH)
    assert call.of(Pause, Resume) == [(2.75, Pause(1)), (2.75, Resume(1))]


def test_a_yes_without_a_voice_is_an_answer_where_its_transcript_says_so() -> None:
    for answers in (True, False):
        call = speaking().words(1.0, "yes", answers=answers).at(9.0)
        assert bool(call.of(Commit)) is answers
        assert bool(call.of(Keep)) is not answers


def test_words_without_a_voice_cut_a_reply_as_soon_as_they_count() -> None:
    call = speaking().words(1.0, "mm", final=False).words(1.25, "mm stop", final=False)
    assert call.said == [(1.25, Cut(1, "voice"))]


def test_fewer_than_min_words_are_kept_with_their_own_utterance() -> None:
    call = speaking(Rules(min_words=3)).voice(1.0, 2.0).words(2.0, "stop it").at(9.0)
    assert call.said == [(1.2, Pause(1)), (2.5, Keep("stop it", "en")), (2.5, Resume(1))]
    call.voice(10.0, 11.0).words(11.0, "now").at(19.0)
    assert call.of(Keep)[1:] == [(11.5, Keep("now", "en"))]
    call.voice(20.0, 21.0).words(20.5, "please do stop", final=False)
    assert call.of(Cut) == [(20.5, Cut(1, "voice"))]


def test_new_words_supersede_an_answer_that_is_not_heard_yet() -> None:
    call = Call().voice(1.0, 2.0).words(2.0, "a table").at(2.5)
    call.grant(Kind.ANSWER)
    call.at(2.75, VoiceStarted(2.75)).words(3.0, "for two", final=False)
    assert call.of(Pause, Cut) == [(2.75, Pause(1)), (3.0, Cut(1, "voice"))]
    call.at(3.25, VoiceStopped(3.25)).words(3.25, "for two").at(9.0)
    assert call.of(Commit)[1:] == [(3.75, commit("for two", drafted=True))]


def test_late_words_supersede_an_answer_that_nothing_has_held() -> None:
    call = Call(reply=Kind.ANSWER).words(1.0, "no wait", final=False)
    assert call.said == [(1.0, Cut(1, "voice"))]


def test_an_answer_granted_after_newer_words_is_superseded_too() -> None:
    call = Call(reply=Kind.PROTECTED).voice(1.0, 2.0).words(2.0, "one").at(2.5)
    call.at(3.0, VoiceStarted(3.0)).words(3.25, "two", final=False).at(3.5, Gone(1))
    call.grant(Kind.ANSWER)
    assert call.of(Pause, Cut) == [(3.5, Pause(2)), (3.5, Cut(2, "voice"))]


def test_the_application_s_speech_that_is_not_heard_is_held_not_cut() -> None:
    call = Call(reply=Kind.SPEECH).voice(1.0, 2.0).words(2.0, "hello there").at(9.0)
    assert call.said == [
        (1.0, Pause(1)),
        (2.5, commit("hello there")),
        (2.5, Resume(1)),
    ]
    call = Call(reply=Kind.SPEECH).words(1.0, "hello there").at(9.0)
    assert call.said == [
        (1.0, Pause(1)),
        (1.5, commit("hello there")),
        (1.5, Resume(1)),
    ]


def test_a_speech_granted_while_words_are_pending_waits_for_the_end_of_the_turn() -> None:
    call = Call().words(1.0, "hello")
    call.grant(Kind.SPEECH)
    assert call.at(9.0).of(Pause, Resume) == [(1.0, Pause(1)), (1.5, Resume(1))]


def test_a_detector_that_hangs_after_a_hum_lets_the_reply_go_on() -> None:
    call = speaking().at(1.0, VoiceStarted(1.0)).words(2.0, "mm-hmm").at(30.0)
    assert call.said == [(1.2, Pause(1)), (7.0, Keep("mm-hmm", "en")), (7.0, Resume(1))]


# Protected replies.


def test_words_said_over_a_protected_reply_are_committed_and_do_not_touch_it() -> None:
    call = speaking(kind=Kind.PROTECTED).voice(1.0, 2.0).words(2.0, "hello there").at(9.0)
    assert call.said == [(2.5, commit("hello there"))]
    assert call.states[:2] == [(0.0, "thinking"), (0.0, "speaking")]
    call.at(9.0, Interrupt())
    assert len(call.said) == 1
    call.at(9.5, Interrupt(force=True))
    assert call.said[1:] == [(9.5, Cut(1, "application"))]


def test_a_hum_over_a_protected_reply_is_kept() -> None:
    call = speaking(kind=Kind.PROTECTED).voice(1.0, 2.0).words(2.0, "mm-hmm").at(9.0)
    assert call.said == [(2.5, Keep("mm-hmm", "en"))]


def test_protecting_a_held_reply_lets_it_go_on() -> None:
    call = speaking().at(1.0, VoiceStarted(1.0)).at(1.5, Protect(1), Protect(7, protected=False))
    assert call.said == [(1.2, Pause(1)), (1.5, Resume(1))]
    assert call.states[-1] == (1.5, "speaking")
    call = Call(reply=Kind.ANSWER).at(1.0, VoiceStarted(1.0), Protect(1))
    assert call.said == [(1.0, Pause(1)), (1.0, Resume(1))]
    assert call.machine.floor is Floor.GUARDED


def test_an_unprotected_reply_may_be_interrupted_as_before() -> None:
    call = speaking().at(1.0, Protect(1)).at(1.5, Protect(1, protected=False))
    assert call.states == [(0.0, "thinking"), (0.0, "speaking")]
    assert call.voice(2.0, 3.0).at(2.5).of(Pause) == [(2.2, Pause(1))]


def test_a_reply_unprotected_before_its_first_sound_is_still_to_be_heard() -> None:
    call = Call(reply=Kind.PROTECTED).at(1.0, Protect(1, protected=False)).at(2.0, Audible(1))
    assert call.states == [(0.0, "thinking"), (2.0, "speaking")]
    call = Call(reply=Kind.ANSWER).at(0.5, Protect(1)).at(1.0, VoiceStarted(1.0))
    assert call.said == []
    call.at(2.0, Protect(1, protected=False))
    assert call.said == [(2.0, Pause(1))]


def test_an_answer_that_was_protected_is_superseded_while_unheard_as_any_other() -> None:
    call = Call(reply=Kind.PROTECTED_ANSWER).at(0.5, Protect(1, protected=False))
    call.words(1.0, "no wait", final=False)
    assert call.said == [(1.0, Cut(1, "voice"))]
    call = Call(reply=Kind.PROTECTED_ANSWER).words(1.0, "no wait", final=False)
    call.at(1.25, Protect(1, protected=False))
    assert call.said == [(1.25, Cut(1, "voice"))]


def test_a_speech_that_was_protected_is_held_while_unheard_as_any_other() -> None:
    call = Call(reply=Kind.PROTECTED).words(1.0, "no wait").at(1.25, Protect(1, protected=False))
    assert call.at(9.0).of(Cut, Pause, Resume) == [(1.25, Pause(1)), (1.5, Resume(1))]


# The application.


def test_an_interruption_by_the_application_cuts_whatever_may_be_cut() -> None:
    for audible, voiced in product((True, False), repeat=2):
        call = Call(reply=Kind.ANSWER).at(0.0, *[Audible(1)] * audible)
        call.at(1.0, *[VoiceStarted(1.0)] * voiced).at(2.0, Interrupt(), Interrupt(force=True))
        assert call.of(Cut) == [(2.0, Cut(1, "application"))]
        assert call.machine.gen is None


def test_a_forced_interruption_cuts_a_reply_in_any_state() -> None:
    for kind, audible, voiced in product((Kind.SPEECH, Kind.PROTECTED), (True, False), (1, 0)):
        call = Call(reply=kind).at(0.0, *[Audible(1)] * audible)
        call.at(1.0, *[VoiceStarted(1.0)] * voiced).at(2.0, Interrupt(force=True))
        assert call.of(Cut) == [(2.0, Cut(1, "application"))]


def test_a_reply_may_leave_from_any_state() -> None:
    for kind, audible, voiced in product((Kind.SPEECH, Kind.PROTECTED), (True, False), (1, 0)):
        call = Call(reply=kind).at(0.0, *[Audible(1)] * audible)
        call.at(1.0, *[VoiceStarted(1.0)] * voiced).at(2.0, Gone(1)).at(9.0)
        assert call.of(Cut, Resume) == []
        assert call.machine.floor is Floor.FREE


def test_commit_now_cuts_what_is_heard_and_supersedes_what_is_not() -> None:
    for audible, stop in product((True, False), (1.125, 2.0)):
        call = Call(reply=Kind.ANSWER).at(0.0, *[Audible(1)] * audible).voice(1.0, stop)
        call.words(2.125, "yes", final=False).at(2.125, CommitNow())
        assert call.of(Cut, Commit) == [(2.125, Cut(1, "turn")), (2.125, commit("yes"))]


def test_clearing_lets_a_held_reply_go_on() -> None:
    call = Call(reply=Kind.SPEECH).voice(1.0, 2.0).words(2.0, "hello").at(2.25, Clear())
    assert call.said == [(1.0, Pause(1)), (2.25, Resume(1))]


def test_a_manual_turn_leaves_the_reply_alone_until_it_is_committed() -> None:
    for kind in (Kind.ANSWER, Kind.SPEECH):
        call = Call(HAND, reply=kind).voice(1.0, 2.0).words(2.0, "no wait").at(3.0, Audible(1))
        call.voice(4.0, 5.0).words(5.0, "stop").at(9.0)
        assert call.said == []
        call.at(9.0, CommitNow())
        assert call.said == [(9.0, Cut(1, "turn")), (9.0, commit("no wait stop"))]


def test_news_of_a_reply_that_has_left_changes_nothing() -> None:
    call = speaking().at(1.0, Gone(1))
    assert call.states[-1] == (1.0, "listening")
    call.grant(Kind.ANSWER)
    call.at(2.0, Audible(1), Protect(1), Gone(1))
    assert call.machine.floor is Floor.WAITING
    call.at(3.0, Transcript("hello", True, "en"), Gone(2)).at(9.0)
    assert call.machine.user is User.QUIET
    assert call.machine.gen is None


def test_clear_does_not_let_a_held_speech_talk_over_the_user() -> None:
    call = Call(reply=Kind.SPEECH).at(0.5, VoiceStarted(0.5)).at(1.0, Clear())
    assert call.decisions == [Pause(1)]
    call.at(1.5, VoiceStopped(1.5)).at(9.0)
    assert Resume(1) in call.decisions
