"""Outputs of other people in a session: history has what they played, whatever they do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.agent.test_session_nodes import LONG, Foreign, words_of
from tests.scripted import Call, Ears, at, hold, sentence, user

if TYPE_CHECKING:
    from livekit import rtc

ANSWER = " ".join(sentence(n * 100, 8) for n in range(300, 304))
MUTTERED = Ears(0.06, 0.1, None, 0.25)  # words that never become final


class Lagging(Foreign):
    """A room whose jitter buffer plays `LAG` seconds after it was given a frame, and says so."""

    LAG = 0.3

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        fresh = not self._open
        await super().capture_frame(frame)
        if fresh:
            self._began += self.LAG

    def _finish(self, interrupted: bool) -> None:
        self._began = min(self._began, asyncio.get_running_loop().time())  # it may play nothing
        super()._finish(interrupted)


class Broken(Foreign):
    """Its `clear_buffer` fails."""

    def clear_buffer(self) -> None:
        raise RuntimeError("gone")


class Unfinished(Foreign):
    """Its first `flush` fails."""

    broken = True

    def flush(self) -> None:
        if self.broken:
            self.broken = False
            raise RuntimeError("gone")
        super().flush()


class Mute(Foreign):
    """It reports nothing."""

    def on_playback_finished(self, **_: object) -> None:
        pass


class Line:
    """Puts a sink into a call, and keeps what the session tells."""

    def __init__(self, sink: type[Foreign], late: float = 0.0) -> None:
        self._kind, self._late = sink, late
        self.told: list[str] = []

    def __call__(self, call: Call) -> None:
        self.sink = self._kind(self._late)
        call.session.output.audio = self.sink
        call.session.on("conversation_item_added", lambda e: self.told.append(e.item.role))
        call.session.on("error", lambda e: self.told.append(str(e.error.error)))
        call.session.on("close", lambda _: self.told.append("close"))


@pytest.mark.parametrize("moment", [1.5 + 0.1 * n for n in range(10)])
@pytest.mark.parametrize("by_voice", [False, True])
def test_history_has_what_a_lagging_output_played_however_it_is_cut(
    moment: float, by_voice: bool
) -> None:
    line = Line(Lagging, 0.1)
    voice = user(moment, moment + 0.6, "zizi zizi zozo", ears=MUTTERED)
    cut = voice if by_voice else at(moment, lambda call: call.session.interrupt())
    call = hold(at(0.0, line), at(0.1, lambda call: call.say(ANSWER)), cut, until=6.2)
    played = [word for word in words_of(call, line.sink.heard) if word in ANSWER.split()]
    assert (call.messages[0].text_content or "").split() == played


@pytest.mark.parametrize("moment", [0.7 + 0.13 * n for n in range(10)])
def test_a_reply_that_goes_on_after_a_cough_is_played_whole_by_a_lagging_output(
    moment: float,
) -> None:
    line = Line(Lagging, 0.1)
    cough = user(moment, moment + 0.35, "")
    call = hold(at(0.0, line), at(0.1, lambda call: call.say(ANSWER)), cough, until=15.0)
    assert [r.kind for r in call.session.timeline.records if r.kind == "resume"] == ["resume"]
    assert words_of(call, line.sink.heard) == ANSWER.split()  # each sample once


@pytest.mark.parametrize("delay", [0.25, 0.3, 0.35, 0.4, 0.7, 0.8, 0.9])
def test_the_report_of_a_speech_is_not_taken_for_the_next_ones(delay: float) -> None:
    first = sentence(0, 8)

    def both(call: Call) -> None:
        call.say(first)
        call.say(ANSWER)

    line = Line(Lagging, 0.05)
    whole = hold(at(0.0, line), at(0.1, both), until=20.0)
    begins = whole.records("granted")[1].t
    cut = at(begins + delay, lambda call: call.session.interrupt())
    call = hold(at(0.0, line), at(0.1, both), cut, until=20.0)
    played = [word for word in words_of(call, line.sink.heard) if word not in first.split()]
    said = " ".join(message.text_content or "" for message in call.messages[1:])
    assert said.split() == played


def test_a_sink_whose_clear_fails_leaves_the_session_hearing() -> None:
    line = Line(Broken)
    call = hold(
        at(0.0, line),
        user(0.2, 0.8, "zaza zeze"),
        user(2.5, 3.2, "zizi zizi"),
        user(8.0, 8.6, "zuzu"),
        until=14.0,
    )
    assert call.text("user")[-1] == "zuzu"
    assert line.told.count("the audio output foreign: clear_buffer: gone") == 1


def test_a_sink_whose_flush_fails_plays_the_next_speech() -> None:
    line, first, second = Line(Unfinished), sentence(0), sentence(100)
    call = hold(
        at(0.0, line),
        at(0.1, lambda call: call.say(first)),
        at(4.0, lambda call: call.say(second)),
        until=8.0,
    )
    assert words_of(call, line.sink.heard) == f"{first} {second}".split()


def test_the_message_that_waits_for_a_report_comes_before_close() -> None:
    line = Line(Mute)
    hold(at(0.0, line), at(0.1, lambda call: call.say(LONG)), until=2.0)
    assert line.told == ["assistant", "close"]
