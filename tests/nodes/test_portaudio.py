"""Devices that are refused, used by others, lost, or that dictate how they are used."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from antiphon import cli
from antiphon.nodes import devices
from antiphon.nodes.console import SoundCard, Wanted
from antiphon.pipeline.errors import NoSound
from antiphon.pipeline.streams import Scope
from tests import portaudio_stand_in as stand_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.programs import Programs

pytestmark = pytest.mark.realtime

RATE = 24_000
ANY = Wanted(aec=False)
ECHO = "await AgentSession().start(Echo())"


async def until(true: Callable[[], bool]) -> None:
    """The test's own time limit ends a wait in vain."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("refuses", "refusal", "said"),
    [
        ("input", stand_in.DENIED, "the microphone 0 Built-in may not be used: "),
        ("output", stand_in.BUSY, "the speaker 0 Built-in is in use by a program that does not"),
    ],
)
def test_a_device_that_is_refused_ends_the_command_with_one_line_that_helps(
    portaudio: stand_in.StandIn,
    programs: Programs,
    capsys: pytest.CaptureFixture[str],
    refuses: str,
    refusal: tuple[object, ...],
    said: str,
) -> None:
    portaudio.refuses[f"{refuses} Built-in"] = refusal
    assert cli.run(["console", str(programs.entry(ECHO))]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"antiphon: {said}")
    assert not any(stream.running for stream in portaudio.streams)


def test_the_doctor_says_which_device_is_refused_and_what_helps(
    portaudio: stand_in.StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    portaudio.refuses["input Built-in"] = stand_in.DENIED
    assert cli.run(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "  missing  microphone: the microphone 0 Built-in may not be used: " in out
    assert "  ok       speaker: 0 Built-in" in out


def test_a_machine_whose_devices_may_not_be_read_says_so(
    portaudio: stand_in.StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pcmC0D0c").symlink_to(tmp_path / "nobody may read this")
    monkeypatch.setattr(devices, "SOUND_FILES", tmp_path)
    portaudio.there.clear()
    portaudio.start()
    with pytest.raises(NoSound, match="there is no microphone that may be used: .*audio"):
        devices.device("input")


async def test_a_call_goes_on_with_the_new_default_when_the_default_device_is_gone(
    portaudio: stand_in.StandIn,
) -> None:
    said: list[str] = []
    sound = np.full(RATE, 1000, np.int16)
    async with Scope("test") as scope:
        card = SoundCard(scope, ANY, say=said.append)
        await card.open()
        card.speaker.write(sound.data)
        await until(lambda: card.speaker.held() < len(sound) // 2)
        portaudio.unplug("Built-in")
        await until(lambda: any("going on with" in line for line in said))
        await until(lambda: not card.speaker.held())
        await card.close()

    assert "  hear   going on with microphone USB Headset and speaker USB Headset" in said
    parts = [b"".join(blocks) for blocks in portaudio.played.values()]
    loud = [np.count_nonzero(np.frombuffer(part, np.int16)) for part in parts]
    assert sum(loud) == len(sound)  # each sample once, on one of them
    assert min(loud) > 0


@pytest.mark.parametrize("starves", ["late", "between"])
async def test_a_starved_card_plays_every_sample_once(
    portaudio: stand_in.StandIn, starves: str
) -> None:
    portaudio.host = "ALSA"
    sound = np.arange(1, RATE // 2, dtype=np.int16)
    async with Scope("test") as scope:
        card = SoundCard(scope, ANY, say=lambda line: None)
        await card.open()
        card.speaker.write(sound.data)
        for left in (3, 2, 1):
            await until(lambda: card.speaker.held() < left * len(sound) // 4)  # noqa: B023
            portaudio.starves = starves
        await until(lambda: not card.speaker.held())
        await card.close()

    played = np.frombuffer(b"".join(portaudio.played["Built-in"]), np.int16)
    assert np.array_equal(played[played != 0], sound)


async def test_a_device_that_others_use_when_it_is_back_is_waited_for_and_spoken_of_once(
    portaudio: stand_in.StandIn,
) -> None:
    said: list[str] = []
    async with Scope("test") as scope:
        card = SoundCard(scope, ANY, say=said.append)
        await card.open()
        portaudio.refuses["output USB Headset"] = stand_in.BUSY
        portaudio.unplug("Built-in")
        await until(lambda: len([line for line in said if "in use by" in line]) == 1)
        portaudio.there.clear()
        await until(lambda: any("there is no microphone" in line for line in said))
        portaudio.there.append("USB Headset")
        await until(lambda: len([line for line in said if "in use by" in line]) == 2)
        portaudio.refuses.clear()
        await until(lambda: any("going on with" in line for line in said))
        await card.close()

    assert not any(stream.running for stream in portaudio.streams)


async def test_a_device_that_knows_one_rate_and_stereo_is_used_as_it_will(
    portaudio: stand_in.StandIn,
) -> None:
    portaudio.rate = 44_100
    heard: list[int] = []
    sound = (np.sin(np.arange(RATE) / 10) * 9000).astype(np.int16)
    async with Scope("test") as scope:
        user = lambda at, samples: heard.append(len(samples))  # noqa: E731
        card = SoundCard(scope, ANY, say=lambda line: None, on_user=user)
        await card.open()
        card.speaker.write(sound.data)
        await until(lambda: not card.speaker.held())
        await card.close()

    both = np.frombuffer(b"".join(portaudio.played["Built-in"]), np.int16).reshape(-1, 2)
    assert np.array_equal(both[:, 0], both[:, 1])
    loud = np.flatnonzero(both[:, 0])
    assert loud[-1] - loud[0] == pytest.approx(44_100, abs=441)
    assert set(heard) == {160}
