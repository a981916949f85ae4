"""Promise 4: a cough pauses a reply at the playhead, and it goes on where it stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.scripted import (
    RATE,
    Act,
    Call,
    Plain,
    at,
    check,
    check_sound,
    cough,
    hold,
    sentence,
    user,
)
from tests.scripted_models import modelled
from tests.sweeps import every

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

LONG = " ".join(sentence(first) for first in (0, 10, 20, 30))


def whole(call: Call) -> None:
    """All that was synthesised was played, bit for bit, and history has all of it."""
    made = [n + 1 for n, length in enumerate(call.voice.lengths) for _ in range(length)]
    assert call.sound == made
    assert not any(m.interrupted for m in call.messages)


@pytest.mark.parametrize("lasts", [0.1, 0.45])
def test_a_cough_at_any_moment_costs_no_sample(lasts: float) -> None:
    for moment in every(0.0, 3.2):
        call = hold(at(0.1, lambda call: call.say(LONG)), cough(moment, lasts))
        check(call)
        whole(call)
        assert call.text("assistant") == LONG.split()


def test_coughs_one_upon_the_other_cost_no_sample() -> None:
    for moment in every(0.3, 2.5, 0.05):
        coughs: list[Act] = [cue for n in range(4) for cue in cough(moment + 0.42 * n, 0.3)]
        call = hold(at(0.1, lambda call: call.say(LONG)), coughs, user(12.0, 12.4, "zaza"))
        check(call)
        whole(call)


def test_a_cough_while_an_answer_is_prepared_costs_neither_sample_nor_answer() -> None:
    for moment in every(0.7, 2.0):
        call = hold(user(0.1, 0.5, "zaza"), cough(moment, 0.3), agent=modelled)
        check(call)
        assert call.messages[-1].role == "assistant"
        assert call.heard == (call.messages[-1].text_content or "").split()
        check_sound(call)


@pytest.mark.parametrize("words", ["mm-hmm", "yeah", "I see"])
def test_an_acknowledgement_at_any_moment_is_kept_and_the_reply_goes_on(words: str) -> None:
    for moment in every(0.2, 1.2, 0.02):  # later, the reply is in its last second
        call = hold(
            at(0.1, lambda call: call.say(LONG)),
            user(moment, moment + 0.3, words),
            user(9.0, 9.4, "zaza"),
        )
        check(call)
        whole(call)
        assert [m.text_content for m in call.messages if m.role == "user"] == [words, "zaza"]
        assert len([m for m in call.messages if m.role == "assistant"]) == 2


def test_an_acknowledgement_after_a_question_is_an_answer() -> None:
    call = hold(at(0.1, lambda call: call.say("Zazax zezex?")), user(2.0, 2.3, "yes"))
    check(call)
    assert [m.role for m in call.messages] == ["assistant", "user", "assistant"]


def test_stop_is_short_and_ends_the_reply() -> None:
    for moment in every(0.4, 1.5, 0.05):
        call = hold(at(0.1, lambda call: call.say(LONG)), user(moment, moment + 0.15, "Stop!"))
        check(call)
        first = next(m for m in call.messages if m.role == "assistant")
        assert first.interrupted


def test_the_silence_of_a_pause_begins_when_the_voice_has_lasted_long_enough() -> None:
    call = hold(at(0.1, lambda call: call.say(LONG)), cough(1.0, 0.5))
    ends = [began + len(pcm) / 1000 for began, pcm in call.played]
    begins = [began for began, _ in call.played]
    gaps = [
        (end, begin) for end, begin in zip(ends, begins[1:], strict=False) if begin - end > 1e-6
    ]
    # 1.0 + min_duration 0.2; silence is noticed at 1.6, and false_interruption_timeout is 1.0
    assert [(round(end, 6), round(begin, 6)) for end, begin in gaps] == [(1.2, 2.6)]
    assert [event.resumed for event in call.reported("agent_false_interruption")] == [True]


def test_noise_without_end_holds_a_reply_no_longer_than_its_limit() -> None:
    call = hold(at(0.1, lambda call: call.say(LONG)), cough(1.0, 20.0))
    check(call)
    whole(call)
    assert call.played[-1][0] < 8.0


class Pausing(Plain):
    """Thinks for eight seconds between its two sentences."""

    async def llm_node(self, *_: object) -> AsyncGenerator[str, None]:
        await asyncio.sleep(0.2)
        yield sentence(0, 12) + " "
        await asyncio.sleep(8.0)
        yield sentence(100)


def test_what_is_left_is_heard_at_once_also_while_the_model_is_thinking() -> None:
    def agent(call: Call) -> Pausing:
        return Pausing(call.caller, call.voice)

    whole = hold(user(0.2, 0.8, "zaza"), agent=agent)
    ends = max(began + len(pcm) / RATE for began, pcm in whole.played if began < 5.0)
    call = hold(user(0.2, 0.8, "zaza"), cough(ends - 0.45, 0.3), agent=agent)
    check(call)
    [resume] = call.records("resume")
    assert min(began for began, _ in call.played if began >= resume.t) == resume.t
