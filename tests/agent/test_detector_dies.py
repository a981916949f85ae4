"""A detector or a recogniser that fails takes nothing else with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc
from livekit.agents import io, vad

from antiphon.detecting import Detecting
from antiphon.nodes.stt import FLUSHES
from antiphon.pipeline import clock
from antiphon.pipeline.streams import Scope
from tests.scripted import Call, Plain, at, hold, user

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

FRAME = 0.02  # seconds


class Microphone(io.AudioInput):
    """Silence, in real time."""

    def __init__(self) -> None:
        super().__init__(label="microphone")

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(FRAME)
        return rtc.AudioFrame(bytes(640), 16000, 1, 320)


class Dying(vad.VAD):
    """Its first `deaths` streams fail, each after `lasts` seconds and a start of speech; it notes
    when each began."""

    def __init__(self, deaths: int, lasts: float = 1.0, *, ends: bool = False) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=FRAME))
        self.deaths, self.lasts, self.ends = deaths, lasts, ends
        self.began: list[float] = []

    def stream(self) -> DyingStream:
        self.began.append(asyncio.get_running_loop().time())
        return DyingStream(self)


class DyingStream(vad.VADStream):
    def __init__(self, mine: Dying) -> None:
        self._mine = mine
        super().__init__(mine)

    async def _main_task(self) -> None:
        mine = self._mine
        if len(mine.began) > mine.deaths:
            await asyncio.sleep(1000.0)
        if mine.lasts:
            self._event_ch.send_nowait(_edge(vad.VADEventType.START_OF_SPEECH))
        await asyncio.sleep(mine.lasts)
        if not mine.ends:
            raise RuntimeError("no model")


class InlineDying(Dying):
    """A detector that is a plain object."""

    def detector(self) -> InlineDying:
        self.began.append(asyncio.get_running_loop().time())
        return self

    def edges(self, frame: rtc.AudioFrame) -> Sequence[vad.VADEvent]:
        if len(self.began) <= self.deaths:
            raise RuntimeError("no model")
        return ()


def _edge(kind: vad.VADEventType) -> vad.VADEvent:
    return vad.VADEvent(
        type=kind, samples_index=0, timestamp=0.0, speech_duration=0.0, silence_duration=0.0
    )


def _call(detector: Dying, *acts: Any) -> tuple[Call, list[str]]:
    errors: list[str] = []

    def listen(call: Call) -> None:
        call.session.on("error", lambda e: errors.append(f"{e.error.label}: {e.error.error}"))
        call.session.input.audio = Microphone()

    return hold(at(0.0, listen), *acts, until=10.0, vad=detector), errors


@pytest.mark.parametrize(
    ("detector", "why"),
    [
        (Dying(3, 0.0), "no model"),
        (InlineDying(3), "no model"),
        (Dying(3, 0.0, ends=True), "the detector of speech has ended"),
    ],
    ids=["stream", "inline", "ends"],
)
def test_a_detector_that_dies_is_told_once_and_started_again(detector: Dying, why: str) -> None:
    call, errors = _call(detector, user(5.0, 5.6, "zaza zeze"))
    assert errors == [f"vad: {why}"]
    assert len(detector.began) == 4
    gaps = {round(b - a, 6) for a, b in zip(detector.began, detector.began[1:], strict=False)}
    assert all(0.5 <= gap <= 0.5 + FRAME for gap in gaps)
    assert call.text("user") == ["zaza", "zeze"]


def test_a_detector_that_is_replaced_in_the_moment_in_which_it_was_opened_leaves_nothing() -> None:
    async def replaced() -> None:
        async with Scope("ears") as scope:
            detecting = Detecting(scope, pytest.fail, print)
            detecting.open(Dying(0))
            detecting.open(None)
            await asyncio.sleep(1.0)

    clock.run(replaced(), strict=True)


def test_while_the_detector_is_dead_words_still_arrive_and_are_answered() -> None:
    call, errors = _call(InlineDying(1000), user(1.0, 1.6, "zaza zeze"), user(6.0, 6.6, "zozo"))
    assert call.text("user") == ["zaza", "zeze", "zozo"]
    assert call.text("assistant")
    assert errors == ["vad: no model"]


def test_speech_that_a_detector_died_in_is_over() -> None:
    call, errors = _call(Dying(1, 1.0))
    stopped = [r.t for r in call.session.timeline.records if r.kind == "voice_stopped"]
    assert len(stopped) == 1
    assert errors == ["vad: no model"]


def test_a_recogniser_that_cannot_be_flushed_is_still_heard() -> None:
    class Unflushed(Plain):
        async def stt_node(self, audio: Any, model_settings: Any) -> AsyncGenerator[Any, None]:
            flushes = FLUSHES.get()
            assert flushes is not None
            flushes.append(lambda: [][0])
            while True:
                yield await self.caller.speech.get()

    call = hold(
        user(0.2, 0.8, "zaza zeze"),
        user(5.0, 5.6, "zizi"),
        until=9.0,
        agent=lambda call: Unflushed(call.caller, call.voice),
    )
    assert call.text("user") == ["zaza", "zeze", "zizi"]
    assert not call.records("error")
