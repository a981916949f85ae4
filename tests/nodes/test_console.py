"""A sound card played by script, on the virtual clock: lost devices, echo, and what is said."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from antiphon.nodes.console import LOOKS, SoundCard, Wanted
from antiphon.nodes.devices import Device, Side
from antiphon.nodes.echo import Duplex
from antiphon.nodes.wav import read_wav
from antiphon.pipeline.errors import NoSound
from antiphon.pipeline.streams import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.nodes.local.sound import Samples
    from antiphon.nodes.portaudio import Fill, Take

BUILT_IN = Device(0, "Built-in", "Script", 2, 2, 48_000)
HEADSET = Device(1, "USB Headset", "Script", 1, 2, 44_100)
ANY = Wanted()
LATENCY = 0.02
CALLERS = Path(__file__).parents[2] / "samples" / "callers"


class Line:
    """One open stream."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.plugged = True

    def alive(self) -> bool:
        return self.plugged

    def close(self) -> None:
        self.plugged = False


class Slow(Line):
    """One that takes its time to close."""

    def close(self) -> None:
        super().close()
        threading.Event().wait(2 * LOOKS)


class Script:
    """A driver whose room has an echo: `echo` of what goes out comes in again, 40 ms later.

    Mutable: the devices there are, the streams, and what came out of the speaker.
    """

    def __init__(
        self, *there: Device, echo: float = 0.0, fixed_rate: int = 0, slow: bool = False
    ) -> None:
        self.there = list(there)
        self.lines: dict[Side, Line] = {}
        self.opened: list[str] = []
        self.out: Samples = np.empty(0, np.int16)
        self._echo = echo
        self._fixed = fixed_rate
        self._line = Slow if slow else Line

    def version(self) -> str:
        return "a script"

    def refresh(self) -> None:
        assert not any(line.plugged for line in self.lines.values())

    def device(self, side: Side, wanted: str) -> Device:
        for device in self.there:
            if wanted in device.name:
                return device
        raise NoSound(f"there is no {wanted or side}")

    def play(
        self, device: Device, rate: int, fill: Fill, lost: Callable[[], None] = lambda: None
    ) -> Line:
        self.opened.append(device.name)
        self._fill = fill
        self.lines["output"] = Line(self._fixed or rate)
        return self.lines["output"]

    def record(self, device: Device, rate: int, take: Take) -> Line:
        self.take = take
        self.lines["input"] = self._line(rate)
        return self.lines["input"]

    def unplug(self) -> None:
        for line in self.lines.values():
            line.plugged = False

    async def run(self, seconds: float, voice: Samples | None = None) -> None:
        """Let that much time pass; `voice` (16 kHz) is what somebody says meanwhile."""
        now = asyncio.get_running_loop().time
        for block in range(round(seconds * 100)):
            if self.lines["output"].plugged:
                rate = self.lines["output"].rate
                filled = np.empty(rate // 100, np.int16)
                self._fill(filled, now() + LATENCY)
                self.out = np.concatenate([self.out, filled])
                self.take(self._room(rate, voice, block), now() - LATENCY)
            await asyncio.sleep(0.01)

    def _room(self, rate: int, voice: Samples | None, block: int) -> Samples:
        """What the microphone hears of it all."""
        noise = np.random.default_rng(block).standard_normal(160) * 10
        if self._echo:
            assert rate == 16_000
            echo = self.out[-5 * 160 :][:160]
            noise[: len(echo)] += self._echo * echo
        if voice is not None:
            said = voice[block * 160 :][:160]
            noise[: len(said)] += said
        return noise.astype(np.int16)


class Call:
    """A sound card on a script. Mutable: what was said to the user, and what was heard of them."""

    def __init__(self, scope: Scope, script: Script, wanted: Wanted = ANY) -> None:
        self.script = script
        self.said: list[str] = []
        self.user: list[Samples] = []
        self.agent: list[tuple[float, int]] = []
        self.card = SoundCard(
            scope,
            wanted,
            say=self.said.append,
            on_agent=lambda at, pcm: self.agent.append((at, len(pcm))),
            on_user=lambda at, samples: self.user.append(samples),
            driver=script,
        )

    def said_of(self, word: str) -> list[str]:
        return [line for line in self.said if word in line]

    @property
    def heard(self) -> Samples:
        """Everything that was heard of the user."""
        return np.concatenate(self.user)


def voice(seconds: float, rate: int) -> Samples:
    """Somebody speaking without a pause worth mentioning."""
    samples = read_wav(CALLERS / "interrupts.wav", rate).samples
    loud = samples[abs(samples) > 300]
    return np.tile(loud, 1 + round(seconds * rate) // len(loud))[: round(seconds * rate)]


def loudness(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))


async def test_a_device_that_goes_away_is_waited_for_and_the_voice_goes_on_where_it_was() -> None:
    script = Script(BUILT_IN)
    async with Scope("test") as scope:
        call = Call(scope, script, Wanted(aec=False))
        await call.card.open()
        sound = voice(2.0, 24_000)
        call.card.speaker.write(sound.data)
        await script.run(1.0)
        script.there.clear()
        script.unplug()
        await script.run(3.0)
        held = call.card.speaker.held()
        script.there.append(BUILT_IN)
        await script.run(3.0)
        await call.card.close()

    assert held == 24_000  # nothing counts as heard that nobody could hear
    assert np.array_equal(script.out[script.out != 0], sound[sound != 0])
    assert call.said_of("gone") == [
        "  hear   the speaker Built-in is gone; the call waits for another"
    ]
    assert call.said_of("no input") == ["  hear   there is no input"]  # once, not every time
    assert call.said_of("going on with microphone Built-in and speaker Built-in")


async def test_a_wanted_device_that_goes_away_is_replaced_by_what_there_is() -> None:
    script = Script(BUILT_IN, HEADSET)
    async with Scope("test") as scope:
        call = Call(scope, script, Wanted("USB", "USB"))
        await call.card.open()
        await script.run(1.0)
        script.there.remove(HEADSET)
        script.unplug()
        await script.run(2.0)
        await call.card.close()
    assert script.opened == ["USB Headset", "Built-in"]


async def test_a_wanted_device_that_was_never_there_is_an_error() -> None:
    async with Scope("test") as scope:
        call = Call(scope, Script(BUILT_IN), Wanted("USB"))
        with pytest.raises(NoSound, match="there is no USB"):
            await call.card.open()


async def test_without_cancellation_the_agent_does_not_hear_itself() -> None:
    script = Script(BUILT_IN, echo=0.7, fixed_rate=16_000)
    async with Scope("test") as scope:
        call = Call(scope, script, Wanted(aec=False))
        await call.card.open()
        await script.run(0.5)
        call.card.speaker.write(voice(3.0, 24_000).data)
        await script.run(4.0)
        await call.card.close()
    assert loudness(script.out) > 1000
    assert abs(call.heard).max() < 300
    assert call.said_of("no echo cancellation")


async def test_without_cancellation_a_headset_lets_the_user_interrupt() -> None:
    script = Script(HEADSET)
    async with Scope("test") as scope:
        call = Call(scope, script)
        await call.card.open()
        call.card.speaker.write(voice(2.0, 24_000).data)
        await script.run(2.0, voice(2.0, 16_000))
        await call.card.close()
    assert loudness(call.heard) > 1000


async def test_the_user_can_interrupt_once_the_echo_is_learnt_and_the_agent_hears_no_echo() -> None:
    script = Script(BUILT_IN, echo=0.7, fixed_rate=16_000)
    async with Scope("test") as scope:
        call = Call(scope, script)
        await call.card.open()
        await script.run(0.5)
        call.card.speaker.write(voice(3.0, 24_000).data)
        await script.run(4.0)
        learning = call.heard
        assert call.card.echo is not None
        assert call.card.echo.duplex is Duplex.FULL
        call.user.clear()
        call.card.speaker.write(voice(4.0, 24_000).data)
        await script.run(2.0)
        echo = call.heard
        call.user.clear()
        await script.run(1.0, voice(1.0, 16_000))
        await call.card.close()

    assert abs(learning).max() < 300
    assert loudness(echo) < 100
    assert loudness(call.heard) > 500
    assert [line[9:] for line in call.said] == [Duplex.LEARNING.value, Duplex.FULL.value]


async def test_while_nothing_is_said_the_canceller_rests_and_the_room_sounds_the_same() -> None:
    script = Script(BUILT_IN)
    async with Scope("test") as scope:
        call = Call(scope, script)
        await call.card.open()
        room = 120 * np.random.default_rng(5).standard_normal(16_000 * 12)
        await script.run(8.0, room.astype(np.int16))
        working, resting = call.heard[16_000:32_000], call.heard[-16_000:]
        await script.run(0.5, voice(0.5, 16_000))
        await call.card.close()

    def alike(heard: Samples, place: int) -> float:
        came_in = room[place - 480 : place + len(heard)]
        found = np.correlate(came_in, heard.astype(np.float64), "valid")
        return float(abs(found).max() / np.linalg.norm(heard) / np.linalg.norm(came_in))

    assert alike(working, 16_000) > 0.3
    assert alike(resting, 7 * 16_000) < 0.1
    assert loudness(resting) == pytest.approx(loudness(working), rel=0.5)
    assert loudness(call.heard[-4000:]) > 500  # a voice is heard at once


async def test_a_microphone_that_gives_nothing_is_spoken_of_once() -> None:
    script = Script(BUILT_IN)
    async with Scope("test") as scope:
        call = Call(scope, script)
        await call.card.open()
        for _ in range(1500):
            script.take(np.zeros(160, np.int16), 0.0)
        await asyncio.sleep(0.1)
        await call.card.close()
    assert len(call.said_of("is it muted?")) == 1


async def test_what_the_agent_said_is_recorded_at_its_place_in_time_without_gaps() -> None:
    script = Script(BUILT_IN, fixed_rate=48_000)
    async with Scope("test") as scope:
        call = Call(scope, script)
        await call.card.open()
        began = asyncio.get_running_loop().time()
        await script.run(1.0)
        call.card.speaker.write(voice(1.0, 24_000).data)
        await script.run(2.0)
        await call.card.close()
    first, _ = call.agent[0]
    assert first - began == pytest.approx(1.0 + LATENCY)
    assert sum(count for _, count in call.agent) == pytest.approx(24_000, abs=240)
    for (at, count), (then, _) in pairwise(call.agent):
        assert then == pytest.approx(at + count / 24_000, abs=0.002)


async def test_a_session_that_does_not_listen_keeps_two_seconds_at_most() -> None:
    script = Script(BUILT_IN)
    async with Scope("test") as scope:
        call = Call(scope, script)
        await call.card.open()
        await script.run(5.0)
        await call.card.close()
        frames = [await call.card.microphone.__anext__() for _ in range(100)]
        waits = scope.start("one more", call.card.microphone.__anext__())
        await asyncio.sleep(0.1)
        assert not waits.done()
    assert {(frame.sample_rate, frame.samples_per_channel) for frame in frames} == {(16_000, 320)}


@pytest.mark.realtime
async def test_devices_that_are_slow_to_close_are_not_opened_again_when_a_call_ends() -> None:
    said: list[str] = []
    driver = Script(BUILT_IN, slow=True)
    async with Scope("test") as scope:
        card = SoundCard(scope, ANY, say=said.append, driver=driver)
        await card.open()
        await card.close()
    assert driver.opened == ["Built-in"]
    assert not [line for line in said if "gone" in line]
