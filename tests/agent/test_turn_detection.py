"""Who says that the user has finished: delays, a detector of the words, the recogniser, a hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents.stt import SpeechEvent, SpeechEventType

from tests.scripted import FINAL, Call, Plain, at, check, hold, sentence, user

if TYPE_CHECKING:
    from livekit.agents import UserTranscriptionTimeoutEvent

ONE, TWO = sentence(0), sentence(10)


class Words:
    """A detector that has an opinion about some words, after `takes` seconds."""

    def __init__(self, takes: float = 0.1, **scores: float) -> None:
        self.takes, self.scores = takes, scores
        self.asked: list[str] = []

    async def supports_language(self, language: str | None) -> bool:
        return True

    async def unlikely_threshold(self, language: str | None) -> float | None:
        return 0.4

    async def predict_end_of_turn(self, chat_ctx: Any, *, timeout: float | None = None) -> float:
        text = chat_ctx.items[-1].text_content
        self.asked.append(text)
        await asyncio.sleep(self.takes)
        if text not in self.scores:
            raise LookupError(f"no opinion about {text}")
        return self.scores[text]


def held(detector: object, *texts: str, **turns: Any) -> Call:
    cues = [user(0.2 + 8 * n, 0.8 + 8 * n, text) for n, text in enumerate(texts)]
    handling: Any = {"turn_detection": detector, **turns}
    return hold(*cues, turn_handling=handling)


def commits(call: Call) -> list[float]:
    """Seconds from the last voice of each turn to its commit."""
    return [record.t - 0.8 - 8 * n for n, record in enumerate(call.records("commit"))]


def test_words_that_sound_unfinished_are_waited_for_longer() -> None:
    detector = Words(zaza=0.1, zeze=0.9)
    call = held(detector, "zaza", "zeze", endpointing={"min_delay": 0.5, "max_delay": 2.0})
    check(call)
    assert commits(call) == pytest.approx([2.0, 0.5])
    assert detector.asked == ["zaza", "zeze"]


def test_words_that_come_late_are_judged_before_they_are_answered() -> None:
    detector = Words(zaza=0.1, zeze=0.9)
    call = held(detector, "zaza", "zeze", endpointing={"min_delay": 0.1, "max_delay": 2.0})
    check(call)
    assert commits(call) == pytest.approx([2.0, FINAL + detector.takes])


def test_a_detector_that_fails_is_one_error_and_the_delays_decide() -> None:
    call = held(Words(), "zaza")
    check(call, errors=1)
    assert commits(call) == pytest.approx([0.5])


def test_a_detector_that_hangs_does_not_hold_the_turn() -> None:
    call = held(Words(takes=1e6, zaza=0.1), "zaza")
    check(call)
    [commit] = commits(call)
    assert 1.0 < commit < 1.5


STT: Any = {"turn_detection": "stt"}


def ends(call: Call) -> None:
    call.caller.speech.put_nowait(SpeechEvent(type=SpeechEventType.END_OF_SPEECH))


def of_user(call: Call) -> list[tuple[str, float]]:
    return [(state.state, round(state.at, 6)) for state in call.states if state.who == "user"]


def test_with_stt_the_recogniser_says_when_a_turn_ends() -> None:
    call = hold(user(0.2, 0.8, "zaza"), at(2.0, ends), turn_handling=STT)
    check(call)
    [commit] = call.records("commit")
    assert commit.t == 2.5


def test_with_stt_a_silent_user_is_shown_as_silent_before_the_turn_ends() -> None:
    call = hold(user(0.2, 0.8, "zaza"), at(9.0, ends), turn_handling=STT)
    check(call)
    assert of_user(call)[:2] == [("speaking", 0.2), ("listening", 0.8)]


def test_with_stt_a_turn_that_the_recogniser_never_ends_is_answered_all_the_same() -> None:
    call = hold(user(0.2, 0.8, "zaza"), turn_handling=STT)
    check(call)
    [commit] = call.records("commit")
    assert commit.t == 0.8 + FINAL + 5.0  # as with a detector of speech that hangs


def test_with_stt_who_goes_on_before_the_recogniser_ends_the_turn_has_one() -> None:
    call = hold(user(0.2, 0.8, "zaza"), user(2.0, 2.8, "zeze"), at(4.0, ends), turn_handling=STT)
    check(call)
    [commit] = call.records("commit")
    assert (commit.t, call.text("user")) == (4.5, ["zaza", "zeze"])


def test_by_hand_nothing_is_committed_before_the_application_says_so() -> None:
    texts: list[str] = []

    async def commit(call: Call) -> None:
        texts.append(await call.session.commit_user_turn(transcript_timeout=0.5))

    call = Call()
    done: list[Any] = []
    hold(
        user(0.2, 0.8, "zaza"),
        at(5.0, lambda call: done.append(asyncio.ensure_future(commit(call)))),
        turn_handling={"turn_detection": "manual"},
        call=call,
    )
    check(call)
    assert [record.t for record in call.records("commit")] == [5.0]
    assert texts == ["zaza"]


def test_who_waits_for_a_commit_is_let_go_when_the_session_closes() -> None:
    texts: list[str] = []

    async def commit(call: Call) -> None:
        texts.append(await call.session.commit_user_turn(transcript_timeout=60.0))

    hold(
        user(0.2, 9.0, "zaza"),
        at(1.0, lambda call: asyncio.ensure_future(commit(call))),
        until=2.0,
    )
    assert texts == [""]


# Models that are exchanged while the session runs.


def test_a_recogniser_that_is_replaced_still_gives_the_words_it_was_hearing() -> None:
    class Other(Plain):
        pass

    def replace(call: Call) -> None:
        call.agent.update_options(turn_handling={"endpointing": {"min_delay": 1.0}})

    call = hold(user(0.2, 0.8, "zaza"), at(0.6, replace))
    check(call)
    assert commits(call) == pytest.approx([1.0])


def test_the_timeout_of_a_transcript_is_told_of_only_when_it_is_asked_for() -> None:
    for option, told in ((None, []), (1.0, [1.8])):
        call = Call()
        seen: list[float] = []

        def listen(call: Call, seen: list[float] = seen) -> None:
            loop = asyncio.get_running_loop()
            call.session.on("user_transcription_timeout", lambda _: seen.append(loop.time()))

        hold(at(0.1, listen), user(0.2, 0.8, ""), call=call, transcription_timeout=option)
        check(call)
        assert seen == pytest.approx(told)


def test_the_timeout_of_a_transcript_says_when_the_first_of_two_cries_began() -> None:
    call = Call()
    told: list[UserTranscriptionTimeoutEvent] = []

    def listen(call: Call) -> None:
        call.session.on("user_transcription_timeout", told.append)

    cries = (user(0.2, 0.8, ""), user(1.2, 1.8, ""))
    hold(at(0.1, listen), *cries, call=call, transcription_timeout=2.0)
    check(call)
    [event] = told
    assert event.speech_duration == pytest.approx(1.6)
    assert event.created_at - event.vad_speech_started_at == pytest.approx(1.8 + 2.0 - 0.2)


def test_an_agent_may_be_told_while_it_runs_who_ends_turns() -> None:
    def by_hand(call: Call) -> None:
        call.session.current_agent.turn_detection = "manual"

    call = hold(user(0.2, 0.8, "zaza"), at(4.0, by_hand), user(8.2, 8.8, "zeze"))
    check(call)
    assert commits(call)[:1] == pytest.approx([0.5])
    assert call.text("user") == ["zaza", "zeze"]
    assert [record.t for record in call.records("commit") if record.t > 8.0] == []
