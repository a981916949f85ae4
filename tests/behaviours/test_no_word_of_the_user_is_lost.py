"""Promise 3: what the user said is in history, each word once, whatever happened to the turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from livekit.agents import StopResponse, llm

from tests.scripted import Act, Call, Ears, Making, Plain, at, check, hold, sentence, user
from tests.scripted_producers import PRODUCERS
from tests.sweeps import every

if TYPE_CHECKING:
    from antiphon import TurnHandlingOptions

LONG = " ".join(sentence(first) for first in (0, 10, 20, 30))
Hook = Callable[[llm.ChatContext, llm.ChatMessage], object]


class Hooked(Plain):
    """Runs `hook` when a turn is completed."""

    def __init__(self, call: Call, hook: Hook, lasts: float = 0.0) -> None:
        super().__init__(call.caller, call.voice)
        self.hook, self.lasts = hook, lasts

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        await asyncio.sleep(self.lasts)
        self.hook(turn_ctx, new_message)


def test_words_spoken_over_protected_speech_are_kept_and_answered_after_it() -> None:
    for moment in every(0.0, 3.0, 0.02):
        call = hold(
            at(0.1, lambda call: call.say(LONG, allow_interruptions=False)),
            user(moment, moment + 0.6, "zaza zeze zizi"),
        )
        check(call)
        spoken = [m.text_content for m in call.messages if m.role == "assistant"]
        assert LONG in spoken  # heard to its end
        assert len(spoken) == 2
        assert call.messages[-1].role == "assistant"


def test_a_user_who_goes_on_after_almost_a_turn_end_is_answered_once_and_whole() -> None:
    """The second part begins at every moment from before to after the end of the first turn."""
    for moment in every(0.85, 3.5):
        call = hold(user(0.2, 0.8, "zaza zeze"), user(moment, moment + 0.5, "zizi zozo"))
        check(call)
        assert call.messages[-1].role == "assistant"
        assert not call.messages[-1].interrupted
        if moment < 0.8 + 0.5 - 0.06:  # the detector noticed before the turn was over
            assert [m.role for m in call.messages] == ["user", "assistant"]


@pytest.mark.parametrize("final", [0.05, 0.25, 0.6, 1.2])
def test_a_slow_recogniser_loses_nothing_of_words_close_together(final: float) -> None:
    for moment in every(0.7, 2.6, 0.02):
        if moment + 0.4 + final < 0.6 + final:
            continue
        call = hold(
            user(0.2, 0.6, "zaza zeze", final=final),
            user(max(moment, 0.6 + final), moment + 2.0, "zizi zozo", final=final),
        )
        check(call)


def test_an_overlapping_final_is_not_doubled_when_its_interim_was_committed() -> None:
    for moment in every(0.3, 3.0, 0.02):
        call = hold(
            user(0.2, 1.2, "zaza zeze zizi zozo", final=1.5),
            at(moment, lambda call: call.session.commit_user_turn(transcript_timeout=0.1)),
        )
        check(call)


def raising(_: llm.ChatContext, message: llm.ChatMessage) -> None:
    raise LookupError("the hook's own")


def stopping(_: llm.ChatContext, message: llm.ChatMessage) -> None:
    raise StopResponse


def test_a_hook_that_raises_costs_the_answer_and_not_the_words() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=lambda call: Hooked(call, raising))
    check(call, errors=1)
    assert "the hook's own" in str(call.reported("error")[0].error)
    assert [m.role for m in call.messages] == ["user"]


def test_a_hook_that_always_raises_does_not_end_the_session() -> None:
    turns = [user(0.2 + 2 * n, 0.8 + 2 * n, f"zaza{vowel}") for n, vowel in enumerate("aeiouy")]
    call = hold(*turns, agent=lambda call: Hooked(call, raising))
    check(call, errors=6)


def test_a_hook_that_stops_the_response_costs_the_answer_and_not_the_words() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=lambda call: Hooked(call, stopping))
    check(call)
    assert [m.role for m in call.messages] == ["user"]


def test_a_hook_that_hangs_is_given_up_and_the_next_turn_is_answered() -> None:
    lasts = iter([1e6, 0.0])

    class Hanging(Plain):
        async def on_user_turn_completed(self, *_: object) -> None:
            await asyncio.sleep(next(lasts))

    call = hold(
        user(0.2, 0.8, "zaza"),
        user(40.0, 40.6, "zeze"),
        agent=lambda call: Hanging(call.caller, call.voice),
    )
    check(call, errors=1)
    assert [m.role for m in call.messages] == ["user", "user", "assistant"]


def test_a_turn_overtaken_in_its_hook_is_kept_and_only_the_newer_is_answered() -> None:
    for moment in every(1.4, 3.4, 0.02):
        call = hold(
            user(0.2, 0.8, "zaza"),
            user(moment, moment + 0.4, "zeze"),
            agent=lambda call: Hooked(call, lambda *_: None, lasts=1.5),
        )
        check(call)
        assert call.messages[-1].role == "assistant"
        assert [m.text_content for m in call.messages if m.role == "user"] == ["zaza", "zeze"]


def test_words_rejected_by_min_words_are_kept_and_the_reply_goes_on() -> None:
    few: TurnHandlingOptions = {"interruption": {"min_words": 3}}
    for moment in every(0.2, 1.1, 0.05):
        call = hold(
            at(0.1, lambda call: call.say(LONG)),
            user(moment, moment + 0.4, "zaza zeze"),
            turn_handling=few,
        )
        check(call)
        assert call.text("assistant") == LONG.split()


@pytest.mark.parametrize("agent", PRODUCERS)
def test_a_close_at_every_moment_keeps_every_word_that_was_recognised(agent: Making) -> None:
    """50 ms apart; the recogniser's last words may come within the closing's own time, or never."""
    for moment in every(0.0, 6.0, 0.05):
        cues: list[list[Act]] = [
            user(0.2, 0.8, "zaza zeze"),
            user(2.2, 2.9, "zizi zozo zuzu"),
            user(3.4, 3.8, "zazaza", final=0.8),
        ]
        call = hold(*cues, until=moment, agent=agent)
        check(call)
        assert call.ended <= moment + 2.0 + 1e-9


def test_a_manual_turn_holds_the_words_until_it_is_committed() -> None:
    manual: TurnHandlingOptions = {"turn_detection": "manual"}
    call = hold(
        user(0.2, 0.8, "zaza zeze"),
        user(3.0, 3.5, "zizi"),
        at(6.0, lambda call: call.session.commit_user_turn()),
        turn_handling=manual,
    )
    check(call)
    assert [m.text_content for m in call.messages if m.role == "user"] == ["zaza zeze zizi"]
    assert [m.role for m in call.messages] == ["user", "assistant"]


def test_a_detector_that_is_stuck_does_not_wedge_the_turn() -> None:
    stuck = Ears(silent=None)
    call = hold(user(0.2, 0.8, "zaza zeze", ears=stuck), user(12.0, 12.5, "zizi"))
    check(call)
    assert call.messages[-1].role == "assistant"


def test_a_recogniser_that_never_finishes_does_not_wedge_the_turn() -> None:
    call = hold(user(0.2, 0.8, "zaza zeze", final=None), user(8.0, 8.5, "zizi"))
    assert call.text("user") == ["zaza", "zeze", "zizi"]
    assert [m.role for m in call.messages] == ["user", "assistant", "user", "assistant"]
    assert call.text("assistant") == call.heard


def test_words_that_no_detector_noticed_are_answered() -> None:
    unnoticed = Ears(noticed=None, silent=None, interim=None)
    call = hold(user(0.2, 0.8, "zaza zeze", ears=unnoticed))
    check(call)
    assert [m.role for m in call.messages] == ["user", "assistant"]
