"""The way of a sound from a speaker to a microphone, in a room with walls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from antiphon.nodes.echo_path import STEP, EchoPath
from antiphon.nodes.wav import read_wav
from tests.nodes.test_console import voice

if TYPE_CHECKING:
    from antiphon.nodes.local.sound import Samples

RATE: Final = 16_000
CALLERS = Path(__file__).parents[2] / "samples" / "callers"


def echo(sent: Samples, seconds: float) -> Samples:
    """10 dB fainter, so much later, and with the walls: 60 dB are gone after 0.3 s."""
    at = np.arange(3200) / RATE
    way = np.random.default_rng(3).standard_normal(3200) * 10 ** (-3 * at / 0.3)
    way *= 10 ** (-10 / 20) / np.linalg.norm(way)
    late = np.concatenate([np.zeros(round(seconds * RATE)), np.convolve(sent, way)])
    return late[: len(sent)].astype(np.int16)


def passed(path: EchoPath, sent: Samples, heard: Samples, *, alone: bool) -> Samples:
    places = range(0, len(sent) - STEP + 1, STEP)
    steps = [path.without(sent[a : a + STEP], heard[a : a + STEP], alone=alone) for a in places]
    return np.concatenate(steps)


def decibels(loud: Samples, quiet: Samples) -> float:
    return float(20 * np.log10(np.linalg.norm(loud * 1.0) / np.linalg.norm(quiet * 1.0)))


def test_of_an_echo_little_is_left_and_of_a_voice_over_it_all() -> None:
    path, sent = EchoPath(), voice(8.0, RATE)
    came = echo(sent, 0.04)
    passed(path, sent[: 5 * RATE], came[: 5 * RATE], alone=True)
    assert path.known
    said = read_wav(CALLERS / "hums.wav").samples[32_000:80_000]
    left = passed(path, sent[5 * RATE :], came[5 * RATE :] + said, alone=False)
    assert decibels(said, left - said) > 15


def test_a_way_that_has_become_longer_is_known_as_such_and_learnt_again() -> None:
    path, sent = EchoPath(), voice(12.0, RATE)
    before, after = echo(sent, 0.04), echo(sent, 0.08)
    passed(path, sent[: 4 * RATE], before[: 4 * RATE], alone=True)
    assert path.known
    passed(path, sent[4 * RATE : 5 * RATE + 8000], after[4 * RATE : 5 * RATE + 8000], alone=True)
    assert not path.known
    passed(path, sent[5 * RATE + 8000 :], after[5 * RATE + 8000 :], alone=True)
    assert path.known
