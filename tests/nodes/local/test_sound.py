"""What a microphone sends, as samples at one rate."""

from itertools import pairwise

import numpy as np
import pytest
from livekit import rtc
from numpy.typing import NDArray

from antiphon.nodes.local.sound import Mono

Pcm = NDArray[np.int16]


def tone(seconds: float, rate: int, hertz: float = 50.0) -> Pcm:
    t = np.arange(round(seconds * rate)) / rate
    return (12_000 * np.sin(2 * np.pi * hertz * t)).astype(np.int16)


def frames(sound: Pcm, rate: int) -> list[rtc.AudioFrame]:
    step = rate // 50
    return [
        rtc.AudioFrame(sound[at : at + step].tobytes(), rate, 1, step)
        for at in range(0, len(sound) - step + 1, step)
    ]


def heard(mono: Mono, pushed: list[rtc.AudioFrame]) -> Pcm:
    return np.concatenate([*(mono.push(frame) for frame in pushed), mono.rest()])


@pytest.mark.parametrize("quality", ["QQ", "HQ"])
@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_the_same_sound_gives_the_same_samples_each_time(rate: int, quality: str) -> None:
    noise = np.random.default_rng(1).normal(0.0, 5_000.0, rate // 2).astype(np.int16)
    # All are kept alive, because soxr takes the seed of its dither from an address.
    voices = [Mono(16_000, quality=quality) for _ in range(8)]
    assert len({heard(voice, frames(noise, rate)).tobytes() for voice in voices}) == 1


def test_what_is_too_loud_is_cut_off_and_does_not_wrap_around() -> None:
    square = np.where(tone(0.2, 48_000) >= 0, 32_767, -32_768).astype(np.int16)
    samples = heard(Mono(16_000, quality="HQ"), frames(square, 48_000))
    inside = samples[200:-200].astype(int)
    assert np.abs(np.diff(inside)).max() > 40_000  # the edges of the square
    assert (np.abs(inside) > 25_000).mean() > 0.9


@pytest.mark.parametrize("quality", ["QQ", "HQ"])
def test_no_sound_is_lost_or_moved_when_the_rate_changes_in_the_middle(quality: str) -> None:
    rates = [48_000, 16_000, 8_000, 44_100, 16_000]
    mono = Mono(16_000, quality=quality)
    pieces = [mono.push(f) for rate in rates for f in frames(tone(0.2, rate), rate)]
    out = np.concatenate([*pieces, mono.rest()])

    assert abs(len(out) - 16_000) <= len(rates)
    whole = np.tile(tone(0.2, 16_000), len(rates))[: len(out)].astype(int)
    for begin, end in pairwise(range(0, 16_001, 3_200)):
        # Away from the seams, where a filter rings, each piece is where it was said.
        piece = slice(begin + 400, min(end, len(out)) - 400)
        found, meant = out[piece].astype(int), whole[piece]
        assert np.abs(found - meant).max() < 3_000


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_of_several_microphones_the_first_is_heard(rate: int) -> None:
    one = tone(0.1, rate)
    both = np.stack([one, -one], axis=1).reshape(-1)
    step = rate // 50
    stereo = [
        rtc.AudioFrame(both[at : at + 2 * step].tobytes(), rate, 2, step)
        for at in range(0, len(both), 2 * step)
    ]
    assert np.array_equal(heard(Mono(16_000), stereo), heard(Mono(16_000), frames(one, rate)))
