"""Other people's outputs: what they report is of the right speech, and their faults are bounded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit.agents import io

from antiphon.nodes.adapted import LATE, LOST, STUCK, Adapted
from antiphon.pipeline.streams import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit import rtc

RATE = 1000  # samples per second: one is a millisecond
TWO_SECONDS = memoryview(bytes(4 * RATE)).cast("h")


class Sink(io.AudioOutput):
    """Notes what it is asked to do, and reports when the test says so."""

    def __init__(self) -> None:
        super().__init__(
            label="sink", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=RATE
        )
        self.asked: list[str] = []
        self.broken: set[str] = set()
        self.door = asyncio.Event()
        self.door.set()

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        self._note("capture_frame")
        await super().capture_frame(frame)
        await self.door.wait()

    def flush(self) -> None:
        self._note("flush")
        super().flush()

    def clear_buffer(self) -> None:
        self._note("clear_buffer")

    def played(self, seconds: float) -> None:
        self.on_playback_finished(playback_position=seconds, interrupted=True)

    def _note(self, name: str) -> None:
        self.asked.append(name)
        if name in self.broken:
            raise RuntimeError("gone")


class Room:
    """A sink, adapted, with what the adapter tells of."""

    def __init__(self, scope: Scope) -> None:
        self.sink = Sink()
        self.errors: list[str] = []
        self.more: list[tuple[str, int, float]] = []
        self.output = Adapted(self.sink, scope, RATE, lambda e: self.errors.append(str(e)))

    async def speak(self, seconds: float) -> None:
        self.output.write(TWO_SECONDS)
        await asyncio.sleep(seconds)

    async def heard(self) -> None:
        """Speak until the output holds nothing, and end."""
        await asyncio.sleep(self.output.held() / RATE)
        self.output.end()
        await asyncio.sleep(0)

    def drop(self, name: str) -> int:
        dropped = self.output.drop()
        loop, at = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        self.output.settled(lambda n: self.more.append((name, n, round(loop.time() - at, 6))))
        return dropped


@pytest.fixture
async def room() -> AsyncGenerator[Room]:
    async with Scope("test") as scope:
        yield Room(scope)


async def test_a_report_says_how_much_more_was_heard_of_what_was_dropped(room: Room) -> None:
    await room.speak(0.5)
    assert room.drop("first") == 1500
    await asyncio.sleep(0.1)
    room.sink.played(0.3)
    assert room.more == [("first", -200, 0.1)]


async def test_a_report_that_comes_at_once_is_in_what_drop_says(room: Room) -> None:
    room.sink.clear_buffer = lambda: room.sink.played(0.3)  # type: ignore[method-assign]
    await room.speak(0.5)
    assert room.drop("first") == 1700
    assert room.more == [("first", 0, 0.0)]


async def test_without_a_report_our_own_pacing_is_believed_in_the_end(room: Room) -> None:
    await room.speak(0.5)
    room.drop("first")
    await asyncio.sleep(LATE)
    room.sink.played(0.3)
    assert room.more == [("first", 0, LATE)]


async def test_the_time_limit_of_one_drop_does_not_settle_the_next(room: Room) -> None:
    await room.speak(0.2)
    room.drop("first")
    await asyncio.sleep(0.1)
    room.sink.played(0.2)
    await room.speak(0.2)
    room.drop("second")
    await asyncio.sleep(0.4)  # the limit of the first has passed
    room.sink.played(0.1)
    assert room.more == [("first", 0, 0.1), ("second", -100, 0.4)]


async def test_the_late_end_report_of_a_speech_is_not_taken_for_the_drop_of_the_next(
    room: Room,
) -> None:
    await room.speak(0.1)
    await room.heard()
    await room.speak(LATE + 0.2)  # it begins when the report of the first one is late
    room.drop("second")
    room.sink.played(2.0)  # of the first
    assert room.more == []
    room.sink.played(0.1)
    assert room.more == [("second", -100, 0.0)]


async def test_a_speech_waits_for_the_report_of_the_one_before(room: Room) -> None:
    await room.speak(0.1)
    await room.heard()
    await room.speak(0.3)
    assert room.sink.asked == ["capture_frame", "flush"]
    assert room.output.held() == 2000
    room.sink.played(2.0)
    await asyncio.sleep(0.1)
    assert room.sink.asked == ["capture_frame", "flush", "capture_frame"]
    assert room.output.held() == 1900


async def test_what_the_sink_was_never_given_was_not_heard(room: Room) -> None:
    await room.speak(0.1)
    await room.heard()
    await room.speak(0.3)
    assert room.drop("second") == 2000
    assert room.more == [("second", 0, 0.0)]
    await asyncio.sleep(2 * LATE)
    assert room.sink.asked.count("capture_frame") == 1


async def test_a_report_that_never_comes_is_not_waited_for_for_ever(room: Room) -> None:
    await room.speak(0.1)
    await room.heard()
    await asyncio.sleep(LOST)
    await room.speak(0.2)
    room.drop("second")
    room.sink.played(0.1)
    assert room.more == [("second", -100, 0.0)]


@pytest.mark.parametrize("name", ["capture_frame", "flush", "clear_buffer"])
async def test_a_sink_that_fails_is_one_error_and_time_goes_on(name: str, room: Room) -> None:
    room.sink.broken = {name}
    for _ in range(3):
        await room.speak(0.1)
        await room.heard()
        await room.speak(LATE + 0.1)
        room.drop("dropped")
        await asyncio.sleep(2 * LATE)
    assert room.errors == [f"the audio output sink: {name}: gone"]
    assert room.sink.asked.count("capture_frame") == 6


async def test_a_sink_that_fails_again_after_it_recovered_is_told_of_again(room: Room) -> None:
    for broken in ({"capture_frame"}, set[str](), {"capture_frame"}):
        room.sink.broken = broken
        await room.speak(0.1)
    assert len(room.errors) == 2


async def test_a_sink_that_takes_no_frame_is_reported_and_given_up(room: Room) -> None:
    room.sink.door.clear()
    for _ in range(10):
        room.output.write(TWO_SECONDS)
    await asyncio.sleep(STUCK)
    assert room.errors == [
        "the audio output sink: capture_frame: it has kept a frame waiting for 10 s"
    ]
    before = room.output.held()
    await asyncio.sleep(1.0)
    assert room.output.held() == before - 1000
    room.output.write(TWO_SECONDS)
    assert room.output.held() == before + 1000
    assert room.sink.asked == ["capture_frame"]
    room.sink.door.set()
    await asyncio.sleep(0)
    room.drop("first")
    await asyncio.sleep(LATE)
    await room.speak(0.1)
    assert room.sink.asked.count("capture_frame") == 2


async def test_what_waits_for_a_stuck_sink_goes_with_its_drop(room: Room) -> None:
    room.sink.door.clear()
    await room.speak(0.1)
    await room.speak(0.1)
    room.drop("first")
    await asyncio.sleep(LATE)
    room.sink.door.set()
    await asyncio.sleep(0.1)
    assert room.sink.asked == ["capture_frame", "flush", "clear_buffer", "clear_buffer"]


async def test_a_sink_is_not_given_frames_without_sound(room: Room) -> None:
    room.output.write(TWO_SECONDS[:0])
    await room.speak(0.5)
    assert room.sink.asked == ["capture_frame"]
