"""A recogniser that is refused, gives nothing or dies: one clear event, and no word is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIStatusError, CloseReason, io

from tests.scripted import Call, Plain, at, check, cough, hold, user

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

WORDS = ("zaza", "zeze", "zizi", "zozo", "zuzu")


class Refused(Plain):
    """Its recogniser's key is refused the first `times` times."""

    def __init__(self, call: Call, times: int) -> None:
        super().__init__(call.caller, call.voice)
        self.times = times
        self.asked_at: list[float] = []

    async def stt_node(self, *_: object) -> AsyncGenerator[Any, None]:
        self.asked_at.append(asyncio.get_running_loop().time())
        if len(self.asked_at) <= self.times:
            raise APIStatusError("no such key", status_code=401)
        while True:
            yield await self.caller.speech.get()


def speaking(count: int) -> list[list[Any]]:
    """So many utterances, five seconds apart."""
    return [user(5.0 * n + 1.0, 5.0 * n + 2.0, WORDS[n]) for n in range(count)]


def test_a_refused_key_is_told_once_and_tried_again_when_somebody_speaks() -> None:
    agents: list[Refused] = []

    def make(call: Call) -> Refused:
        agents.append(Refused(call, 3))
        return agents[0]

    call = hold(*speaking(4), agent=make)
    (told,) = call.reported("error")
    assert "401" in str(told.error.error)
    assert not told.error.recoverable
    since = [moment - call.start for moment in agents[0].asked_at]
    assert since == pytest.approx([0.0, 1.06, 6.06, 11.06], abs=0.01)
    assert call.text("user") == list(WORDS[:4])
    assert call.messages[-1].role == "assistant"


def test_a_key_that_stays_refused_ends_the_call_and_says_why() -> None:
    call = hold(*speaking(5), agent=lambda call: Refused(call, 99), until=30.0)
    assert len(call.reported("error")) == 1
    (closed,) = call.reported("close")
    assert closed.reason is CloseReason.ERROR
    assert "401" in str(closed.error)


class Mute(Plain):
    """Its first recognisers never say a word."""

    def __init__(self, call: Call, times: int) -> None:
        super().__init__(call.caller, call.voice)
        self.times = times
        self.begun = 0

    async def stt_node(self, *_: object) -> AsyncGenerator[Any, None]:
        self.begun += 1
        if self.begun <= self.times:
            await asyncio.sleep(1e6)
        while True:
            yield await self.caller.speech.get()


@pytest.mark.parametrize("times", [1, 2])
def test_a_recogniser_that_gives_nothing_is_told_of_once_and_started_again(times: int) -> None:
    utterances = 3 * times
    script = [user(5.0 * n + 1.0, 5.0 * n + 2.0, "zaza") for n in range(utterances)]
    call = hold(*script, agent=lambda call: Mute(call, times), until=5.0 * utterances + 5.0)
    (told,) = call.reported("error")
    assert told.error.type == "stt_error"
    assert told.error.recoverable
    assert "gave nothing for the last 3 utterances" in str(told.error.error)
    assert call.text("user") == ["zaza"] * utterances
    assert call.messages[-1].role == "assistant"


def test_a_caller_who_only_coughs_ends_nothing_and_is_understood_when_they_speak() -> None:
    script = [cough(5.0 * n + 1.0, 0.8) for n in range(16)]
    call = hold(*script, user(82.0, 82.8, "zaza"))
    assert all(event.error.recoverable for event in call.reported("error"))
    assert call.text("user") == ["zaza"]
    check(call, errors=len(call.reported("error")))


FRAME = 320  # samples: 20 ms


class Numbered(io.AudioInput):
    """Frames that are made of their number, in real time."""

    def __init__(self) -> None:
        super().__init__(label="microphone")
        self._number = 0

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(0.02)
        self._number += 1
        pcm = np.full(FRAME, self._number, np.int16)
        return rtc.AudioFrame(pcm.tobytes(), 16_000, 1, FRAME)


class Dying(Plain):
    """Its first recogniser dies after so many frames; `heard`: what each of them was given."""

    def __init__(self, call: Call, after: int) -> None:
        super().__init__(call.caller, call.voice)
        self.after = after
        self.heard: list[list[int]] = []

    async def stt_node(self, audio: Any, *_: object) -> AsyncGenerator[Any, None]:
        heard: list[int] = []
        self.heard.append(heard)
        async for frame in audio:
            heard.append(frame.data[0])
            if len(self.heard) == 1 and len(heard) == self.after:
                raise APIConnectionError("the recogniser is gone")
        return
        yield


@pytest.mark.parametrize("after", [40, 60, 75, 99, 110])
def test_no_sound_of_a_voice_is_lost_with_a_recogniser_that_dies(after: int) -> None:
    """Somebody speaks from the 50th frame to the 100th."""
    agents: list[Dying] = []

    def make(call: Call) -> Dying:
        agents.append(Dying(call, after))
        return agents[0]

    def listen(call: Call) -> None:
        call.session.input.audio = Numbered()

    hold(at(0.0, listen), user(1.0, 2.0, "zaza"), agent=make, until=4.0)
    first, again, *_ = agents[0].heard  # the last one as the session closes
    assert again == list(range(again[0], again[0] + len(again)))
    assert again[0] <= min(after + 1, 50)
    assert again[-1] > 150
    assert first[0] == 1
