"""A detector that listens says when the user has finished, and none of its faults wedges a turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import io
from livekit.agents.voice.turn import TurnDetectionEvent

from tests.scripted import Call, Plain, at, check, hold, user

RATE, FRAME = 16_000, 320  # 20 ms


class Microphone(io.AudioInput):
    """Sound without end; what is in it is for the scripted caller to say."""

    def __init__(self) -> None:
        super().__init__(label="microphone")

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(FRAME / RATE)
        return rtc.AudioFrame(bytes(2 * FRAME), RATE, 1, FRAME)


class Ear:
    """A detector and its own stream, as LiveKit's protocol has them: answers with each of
    `scores`, `takes` seconds after it was asked."""

    model, provider, is_fallback = "ear", "test", False
    prediction_timeout = 1.0

    def __init__(self, *scores: float, takes: float = 0.1, fails: str = "") -> None:
        self.scores, self.takes, self.fails = list(scores), takes, fails
        self.heard = self.opened = self.closed = 0
        self.asked: list[float] = []
        self.told: list[str] = []

    def stream(self, **_: object) -> Ear:
        self.opened += 1
        return self

    async def supports_language(self, language: str | None) -> bool:
        return True

    async def unlikely_threshold(self, language: str | None) -> float | None:
        return 0.4

    async def backchannel_threshold(self, language: str | None) -> float | None:
        return None

    def predict(self) -> asyncio.Future[TurnDetectionEvent]:
        self._fail("predict")
        loop = asyncio.get_running_loop()
        self.asked.append(loop.time())
        answer: asyncio.Future[TurnDetectionEvent] = loop.create_future()
        event = TurnDetectionEvent("eot_prediction", self.scores.pop(0), 0.0)
        loop.call_later(self.takes, answer.set_result, event)
        return answer

    def cancel_inference(self, *, timed_out: bool = False) -> None:
        self.told.append("timed out" if timed_out else "cancelled")

    def flush(self, reason: str | None = None) -> None:
        self.told.append(str(reason))

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        self._fail("push_audio")
        self.heard += 1

    def end_input(self) -> None:
        """It is closed at once."""

    async def aclose(self) -> None:
        self.closed += 1

    def _fail(self, where: str) -> None:
        if self.fails == where:
            raise OSError(where)


def held(ear: Ear, *cues: Any, errors: int = 0, **turns: Any) -> Call:
    def attach(call: Call) -> None:
        call.session.input.audio = Microphone()

    handling: Any = {"turn_detection": ear, **turns}
    call = hold(at(0.0, attach), *cues, turn_handling=handling)
    check(call, errors=errors)
    assert ear.opened == ear.closed
    return call


def commits(call: Call) -> list[float]:
    return [record.t for record in call.records("commit")]


SAID = user(0.2, 0.8, "zaza")


def test_a_voice_that_sounds_finished_is_answered_after_the_shorter_delay() -> None:
    ear = Ear(0.9)
    call = held(ear, SAID)
    assert commits(call) == pytest.approx([0.8 + 0.3])  # LiveKit's, with a detector that listens
    assert ear.asked == pytest.approx([0.8 + 0.2])
    assert ear.heard > 50
    assert ear.told == ["turn committed"]


def test_a_voice_that_sounds_unfinished_is_waited_for_longer() -> None:
    assert commits(held(Ear(0.1), SAID)) == pytest.approx([0.8 + 2.5])
    delays = {"min_delay": 0.4, "max_delay": 1.0}
    assert commits(held(Ear(0.1), SAID, endpointing=delays)) == pytest.approx([0.8 + 1.0])
    assert commits(held(Ear(0.9), SAID, endpointing=delays)) == pytest.approx([0.8 + 0.4])


def test_the_turn_waits_for_an_answer_that_comes_late() -> None:
    assert commits(held(Ear(0.9, takes=0.6), SAID)) == pytest.approx([0.8 + 0.2 + 0.6])


def test_a_detector_that_never_answers_holds_the_turn_for_a_second() -> None:
    ear = Ear(0.9, takes=1e6)
    assert commits(held(ear, SAID)) == pytest.approx([0.8 + 0.2 + 1.0])
    assert "timed out" in ear.told


def test_a_user_who_goes_on_is_asked_about_again() -> None:
    ear = Ear(0.9, 0.9, takes=0.5)
    call = held(ear, user(0.2, 0.8, "zaza"), user(1.2, 1.8, "zeze"))
    assert [message.text_content for message in call.messages][0] == "zaza zeze"
    assert ear.asked == pytest.approx([1.0, 2.0])
    assert ear.told[0] == "cancelled"


@pytest.mark.parametrize("where", ["predict", "push_audio"])
def test_a_detector_that_fails_is_one_error_a_turn_and_the_delays_decide(where: str) -> None:
    call = held(Ear(fails=where), SAID, errors=1 if where == "predict" else 2)
    assert commits(call) == pytest.approx([0.8 + 0.3])


def test_an_agent_may_listen_with_a_detector_of_its_own() -> None:
    ear = Ear(0.1)

    def agent(call: Call) -> Plain:
        made = Plain(call.caller, call.voice)
        made.update_options(turn_handling={"turn_detection": ear})
        return made

    def attach(call: Call) -> None:
        call.session.input.audio = Microphone()

    call = hold(at(0.0, attach), SAID, agent=agent)
    check(call)
    assert commits(call) == pytest.approx([0.8 + 2.5])
    assert (ear.opened, ear.closed) == (1, 1)
