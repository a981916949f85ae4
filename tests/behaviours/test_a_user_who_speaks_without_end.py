"""A limit on the user's turn: the agent cuts in, and no word is lost or doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.scripted import Act, Call, at, check, hold, sentence
from tests.scripted_tools import Caller

if TYPE_CHECKING:
    from livekit.agents import UserTurnExceededEvent

ONE, TWO = sentence(0), sentence(10)


class Patient(Caller):
    """Notes when it was asked to cut in, and says what LiveKit's documentation shows."""

    def __init__(self, call: Call, mode: str) -> None:
        super().__init__(call, [[ONE], [TWO]])
        self.mode = mode
        self.exceeded: list[UserTurnExceededEvent] = []

    async def on_user_turn_exceeded(self, ev: UserTurnExceededEvent) -> None:
        self.exceeded.append(ev)
        if self.mode == "default":
            await super().on_user_turn_exceeded(ev)
        elif self.mode == "says":
            self.session.say(TWO, allow_interruptions=False)


SPEECH = [
    *at(0.3, lambda call: call.caller.starts()),
    *at(1.0, lambda call: call.caller.says("zaza zeze", final=True)),
    *at(9.0, lambda call: call.caller.stops()),
]


def held(mode: str, acts: list[Act] = SPEECH, **limit: float) -> tuple[Call, Patient]:
    made: list[Patient] = []

    def make(call: Call) -> Patient:
        made.append(Patient(call, mode))
        return made[0]

    turns: Any = {"user_turn_limit": limit}
    return hold(acts, agent=make, turn_handling=turns), made[0]


@pytest.mark.parametrize("mode", ["default", "says", "nothing"])
def test_the_words_are_in_history_once_whatever_the_hook_does(mode: str) -> None:
    call, agent = held(mode, max_words=2)
    check(call)
    [event] = agent.exceeded
    assert event.transcript == event.accumulated_transcript == "zaza zeze"
    assert event.accumulated_word_count == 2
    spoken = {"default": ONE, "says": TWO, "nothing": ""}
    assert call.heard == spoken[mode].split()


def test_the_agent_cuts_in_while_the_user_goes_on_speaking() -> None:
    call, agent = held("default", max_words=2)
    heard = call.records("audible")[0]
    assert heard.t < 2.0
    assert agent.requests[0].choice == "none"
    assert call.handles == []


def test_seconds_are_a_limit_too() -> None:
    more = at(3.0, lambda call: call.caller.says("zizi", final=True))
    call, agent = held("nothing", SPEECH + more, max_duration=2.5)
    check(call)
    [event] = agent.exceeded
    assert event.duration == pytest.approx(3.0 - 0.24)
    assert event.accumulated_transcript == "zaza zeze zizi"


def test_without_a_limit_nobody_cuts_in() -> None:
    call, agent = held("default")
    check(call)
    assert agent.exceeded == []
