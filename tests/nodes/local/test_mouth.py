"""Which sounds may be words: what opens the mouth, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from antiphon.nodes.local.mouth import Mouth
from antiphon.nodes.wav import read_wav
from antiphon.simulated_sound import noise, voice
from tests.sound_card import slam

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.nodes.local.sound import Samples

CALLERS = Path(__file__).parents[3] / "samples" / "callers"


def opened(sound: Samples, block: int = 640) -> bool:
    mouth = Mouth()
    for at in range(0, len(sound), block):
        mouth.hear(sound[at : at + block])
    return mouth.open


def quieter(sound: Samples) -> Samples:
    return (sound * 0.1).astype(np.int16)


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.8, 2.0])
def test_a_cough_is_no_word_however_long_and_loud(seconds: float) -> None:
    assert not opened(noise(seconds))
    assert not opened(quieter(noise(seconds)))


def test_a_slammed_door_is_no_word() -> None:
    assert not opened(slam())


@pytest.mark.parametrize(("begins", "ends"), [(6.7, 7.05), (7.05, 7.7), (7.9, 8.5), (8.9, 9.6)])
def test_neither_hum_nor_cough_of_the_recorded_caller_is_a_word(begins: float, ends: float) -> None:
    sound = read_wav(CALLERS / "hums.wav").samples[round(begins * 16_000) : round(ends * 16_000)]
    assert np.abs(sound).max() > 5000
    assert not opened(sound)
    assert not opened(quieter(sound))


@pytest.mark.parametrize(
    "word", ["stop", "yes", "no", "wait", "four", "two", "three", "me", "who", "six", "hello"]
)
def test_the_shortest_words_are_words(word: str, say: Callable[[str], Samples]) -> None:
    assert opened(say(word))
    assert opened(quieter(say(word)))


def test_a_word_after_a_cough_or_a_slammed_door_is_one() -> None:
    pause = np.zeros(3200, np.int16)
    for before in (noise(0.4), slam()):
        assert opened(np.concatenate([before, pause, voice(0.4)]))


@pytest.mark.parametrize("block", [7, 160, 1000, 100_000])
def test_how_a_sound_comes_in_does_not_matter(block: int) -> None:
    sounds = [voice(0.3), noise(0.5), slam(), voice(0.02)]
    assert [opened(sound, block) for sound in sounds] == [True, False, False, False]
