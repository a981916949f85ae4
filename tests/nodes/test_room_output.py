"""The agent's voice in a room, on the virtual clock, over a source that takes 10 ms every 10 ms."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from antiphon.nodes.room_output import HUSH, QUEUE, STEP, RoomOutput
from antiphon.pipeline.streams import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit import rtc

RATE = 8000
STEPS = round(RATE * STEP)


class Native:
    """The native source as it is written: a queue, and a thread that takes a step at a time.

    `phase` is when in each 10 ms it does, `late` how long its answer takes to reach the loop.
    """

    def __init__(self, phase: float = 0.003, late: float = 0.0005) -> None:
        self.sent: list[int] = []
        self.most = 0  # samples that ever lay in it
        self._queue: list[int] = []
        self._late = late
        self._given: asyncio.Future[None] | None = None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + phase, self._tick)

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        assert self._given is None, "one frame at a time"
        self._queue += frame.data.tolist()
        self.most = max(self.most, len(self._queue))
        self._given = asyncio.get_running_loop().create_future()
        self._answer()
        await self._given
        self._given = None

    def clear_queue(self) -> None:
        self._queue.clear()

    def close(self) -> None:
        self._timer.cancel()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._timer.when() + STEP, self._tick)
        if len(self._queue) >= STEPS:
            self.sent += self._queue[:STEPS]
            del self._queue[:STEPS]
        self._answer()

    def _answer(self) -> None:
        given = self._given
        if given is not None and len(self._queue) <= QUEUE * RATE and not given.done():
            asyncio.get_running_loop().call_later(self._late, _set, given)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def sound(first: int, last: int) -> memoryview:
    """Samples that are all different."""
    return memoryview(np.arange(first, last, dtype=np.int16).data)


def heard(native: Native) -> list[int]:
    """What has left, without the silence."""
    return [sample for sample in native.sent if sample]


@asynccontextmanager
async def opened(native: Native) -> AsyncGenerator[RoomOutput, None]:
    """An output over that source, with somebody who listens."""
    async with Scope("test") as scope:
        out = RoomOutput(scope, rate=RATE, source=native)
        out.open()
        yield out
    native.close()


@pytest.mark.parametrize("size", [1, 37, 80, 160, 1000])
async def test_all_that_is_written_is_sent_once_and_in_order(size: int) -> None:
    native = Native()
    async with opened(native) as out:
        for at in range(1, 2401, size):
            out.write(sound(at, min(at + size, 2401)))
        await asyncio.sleep(0.5)
        assert out.held() == 0
    assert heard(native) == list(range(1, 2401))


async def test_only_a_moment_of_sound_lies_beyond_reach() -> None:
    native = Native()
    async with opened(native) as out:
        out.write(sound(1, 4001))
        await asyncio.sleep(0.3)
    assert native.most <= 0.06 * RATE


@pytest.mark.parametrize("moment", [0.001 * n for n in range(200, 232)])
@pytest.mark.parametrize("phase", [0.001, 0.0095])
async def test_a_pause_is_silent_at_once_and_no_sample_is_lost_when_it_goes_on(
    moment: float, phase: float
) -> None:
    native = Native(phase)
    async with opened(native) as out:
        out.write(sound(1, 4001))
        await asyncio.sleep(moment)
        kept = 4000 - out.drop()
        before = heard(native)
        await asyncio.sleep(0.3)
        assert heard(native) == before
        assert len(before) - STEPS <= kept <= len(before)
        out.write(sound(kept + 1, 4001))
        await asyncio.sleep(0.6)
    assert heard(native) == before + list(range(kept + 1, 4001))


async def test_the_playhead_is_never_ahead_of_what_was_sent() -> None:
    native = Native(0.007, late=0.004)
    async with opened(native) as out:
        out.write(sound(1, 4001))
        played = []
        for _ in range(300):
            await asyncio.sleep(0.001)
            played.append(4000 - out.held())
            assert played[-1] <= len(heard(native)) <= played[-1] + 2 * STEPS
    assert all(earlier <= later for earlier, later in pairwise(played))


async def test_silence_follows_a_cut_so_that_nobody_makes_up_more_of_the_sound() -> None:
    native = Native()
    async with opened(native) as out:
        out.write(sound(1, 4001))
        await asyncio.sleep(0.2)
        out.drop()
        sent = len(native.sent)
        await asyncio.sleep(0.05)
        assert native.sent[sent:] == [0] * STEPS * 4  # the frame on its way cost a step
        await asyncio.sleep(0.5)
    assert len(native.sent) - sent == round(HUSH * RATE)


async def test_a_new_speech_does_not_wait_for_that_silence() -> None:
    native = Native()
    async with opened(native) as out:
        out.write(sound(1, 4001))
        await asyncio.sleep(0.2)
        out.drop()
        await asyncio.sleep(0.02)
        sent = len(native.sent)
        out.write(sound(5001, 5801))
        await asyncio.sleep(0.022)
        assert 5001 in native.sent[sent : sent + 2 * STEPS]


async def test_nothing_is_sent_before_somebody_listens() -> None:
    native = Native()
    async with Scope("test") as scope:
        out = RoomOutput(scope, rate=RATE, source=native)
        out.write(sound(1, 801))
        await asyncio.sleep(1.0)
        assert (out.held(), native.sent) == (800, [])
        out.open()
        await asyncio.sleep(0.2)
    native.close()
    assert heard(native) == list(range(1, 801))


async def test_on_hold_nothing_is_sent_and_nothing_is_lost() -> None:
    native = Native()
    async with opened(native) as out:
        out.write(sound(1, 4001))
        await asyncio.sleep(0.1)
        out.hold()
        await asyncio.sleep(0.1)
        held = out.held()
        await asyncio.sleep(1.0)
        assert out.held() == held == 4000 - len(heard(native))
        out.hold(False)
        await asyncio.sleep(0.6)
    assert heard(native) == list(range(1, 4001))


async def test_a_source_that_fails_takes_its_time_and_harms_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Gone(Native):
        async def capture_frame(self, frame: rtc.AudioFrame) -> None:
            raise RuntimeError("the room is gone")

    native = Gone()
    async with opened(native) as out:
        out.write(sound(1, 1601))
        await asyncio.sleep(0.1)
        assert 0 < out.held() < 1600
        await asyncio.sleep(0.2)
        assert out.held() == 0
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "sound does not reach the room: the room is gone"
    ]
