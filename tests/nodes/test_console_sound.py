"""A microphone and a loudspeaker on a sound card made of null sinks: what really goes out."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from antiphon.nodes import devices
from antiphon.nodes.console import SoundCard, Wanted
from antiphon.nodes.wav import read_wav
from antiphon.pipeline.errors import NoSound
from antiphon.pipeline.streams import Scope
from tests.sound_card import RATE, without_gaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.nodes.local.sound import Samples
    from tests import sound_card as virtual

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(200)]

CUTS: Final = int(os.environ.get("ANTIPHON_CUTS", "6"))
CALLERS = Path(__file__).parents[2] / "samples" / "callers"
ALONE = Wanted(aec=False)


def murmur(seconds: float, seed: int) -> Samples:
    """Noise up to 2 kHz: no stretch of it is like another, and no resampler changes it."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    spectrum[round(2000 * seconds) :] = 0
    sound = np.fft.irfft(spectrum, count)
    samples: Samples = (sound / abs(sound).max() * 20_000).astype(np.int16)
    return samples


def reached(sound: Samples, captured: Samples) -> int:
    """How many samples of `sound` came out, by the last 20 ms of them that were captured."""
    heard = without_gaps(captured)
    # The fade, and the sink's own resampler, blur the very end.
    last = heard[-RATE // 25 : -RATE // 100].astype(np.float64)
    found = np.correlate(sound.astype(np.float64), last, "valid")
    return int(np.argmax(found)) + len(last) + RATE // 100


async def until(true: Callable[[], bool]) -> None:
    """Give the device its time: the test's own time limit ends a wait in vain."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_cut_sound_ends_at_the_speaker_where_it_is_said_to(
    sound_card: virtual.SoundCard,
) -> None:
    apart = []
    moments = np.random.default_rng(1).integers(1000, RATE - 5000, CUTS)
    async with Scope("test") as scope:
        card = SoundCard(scope, ALONE, say=silent)
        await card.open()
        for seed in range(CUTS):
            sound = murmur(1.0, seed)
            sound_card.listen()
            card.speaker.write(sound.data)
            await until(partial(played, card, len(sound), moments[seed]))
            heard = len(sound) - card.speaker.drop()
            await until(lambda: over(sound_card.heard()))
            apart.append(reached(sound, sound_card.heard()) - heard)
        await card.close()

    assert max(map(abs, apart)) <= RATE * 0.02, apart


def silent(line: str) -> None:
    """Nothing of what the user is told matters here."""


def keep(kept: list[Samples], at: float, samples: Samples) -> None:
    kept.append(samples)


def played(card: SoundCard, written: int, samples: int) -> bool:
    """That many have been heard."""
    return written - card.speaker.held() >= samples


def over(captured: Samples) -> bool:
    """There was sound, and then a quarter of a second of silence."""
    return bool(captured[: -RATE // 4].any()) and not captured[-RATE // 4 :].any()


async def test_a_sound_system_that_goes_away_and_returns_is_found_again(
    sound_card: virtual.SoundCard,
) -> None:
    said: list[str] = []
    sound = murmur(2.0, 1)
    async with Scope("test") as scope:
        card = SoundCard(scope, ALONE, say=said.append)
        await card.open()
        card.speaker.write(sound.data)
        await until(partial(played, card, len(sound), RATE))
        sound_card.stop()
        await until(lambda: any("gone" in line for line in said))
        heard = len(sound) - card.speaker.held()
        sound_card.start()
        sound_card.listen()
        await until(lambda: any("going on" in line for line in said))
        await until(partial(played, card, len(sound), len(sound)))
        await until(lambda: over(sound_card.heard()))
        captured = sound_card.heard()
        await card.close()

    assert RATE <= heard < len(sound)
    assert reached(sound, captured) == pytest.approx(len(sound), abs=RATE // 50)
    loud = np.flatnonzero(abs(captured.astype(np.int32)) > 500)
    first = captured[loud[0] : loud[0] + RATE // 50]
    # A busy machine begins to capture when it goes on already.
    began = reached(sound, first) - len(first) if loud[0] < RATE // 50 else heard
    assert began >= heard - RATE // 50
    assert loud[-1] - loud[0] >= len(sound) - began - RATE // 50  # none of the rest is missing


async def test_a_call_follows_the_default_speaker_when_another_is_chosen(
    sound_card: virtual.SoundCard,
) -> None:
    sound = murmur(2.5, 3)
    async with Scope("test") as scope:
        card = SoundCard(scope, ALONE, say=silent)
        await card.open()
        with sound_card.another_speaker() as captured:
            card.speaker.write(sound.data)
            await until(partial(played, card, len(sound), RATE))
            sound_card.control("set-default-sink", "another")
            await until(partial(played, card, len(sound), len(sound)))
            await until(lambda: over(captured()))
            heard = captured()
        await card.close()

    assert reached(sound, heard) == pytest.approx(len(sound), abs=RATE // 50)


async def test_two_consoles_share_a_sound_card(sound_card: virtual.SoundCard) -> None:
    sounds = murmur(1.0, 1), murmur(1.0, 2)
    users: tuple[list[Samples], list[Samples]] = [], []
    async with Scope("test") as scope:
        cards = [SoundCard(scope, ALONE, say=silent, on_user=partial(keep, u)) for u in users]
        for card in cards:
            await card.open()
        sound_card.listen()
        for card, sound in zip(cards, sounds, strict=True):
            card.speaker.write((sound // 4).data)
        await until(lambda: over(sound_card.heard()))
        caller = read_wav(CALLERS / "hums.wav").samples
        sound_card.speak(caller)
        await until(lambda: all(abs(np.concatenate(user)).max() > 2000 for user in users))
        for card in cards:
            await card.close()

    captured = sound_card.heard().astype(np.float64)
    for sound in sounds:
        matches = np.correlate(captured, sound[:4800].astype(np.float64), "valid")
        assert matches.max() > 10 * matches.std()


async def test_a_machine_without_sound_says_in_one_line_what_helps(
    sound_card: virtual.SoundCard,
) -> None:
    sound_card.stop()
    devices.refresh()
    async with Scope("test") as scope:
        card = SoundCard(scope, ALONE, say=silent)
        with pytest.raises(NoSound) as caught:
            await card.open()
    assert "sudo apt install" in str(caught.value)
    assert "\n" not in str(caught.value)
