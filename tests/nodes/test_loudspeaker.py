"""A loudspeaker, its device's thread played by hand: what goes out, and what counts as heard."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from antiphon.nodes.loudspeaker import FADE, Loudspeaker, Samples

RATE = 24_000
LATENCY = 0.03


class Device:
    """Takes blocks of 10 ms at `rate`; mutable: the time, and what has gone out."""

    def __init__(self, speaker_rate: int = RATE, rate: int = RATE) -> None:
        self.now = 100.0
        self.rate = rate
        self.speaker = Loudspeaker(lambda: self.now, rate=speaker_rate)
        self.speaker.plays_at(rate)
        self.out: Samples = np.empty(0, np.int16)

    def block(self) -> bool:
        """Take the next block, then let it be 10 ms later."""
        block = np.full(self.rate // 100, 9999, np.int16)
        sounding = self.speaker.fill(block, self.now + LATENCY)
        self.out = np.concatenate([self.out, block])
        self.now += 0.01
        return sounding

    def blocks(self, count: int) -> None:
        for _ in range(count):
            self.block()


def tone(seconds: float, rate: int = RATE) -> Samples:
    at = np.arange(round(seconds * rate)) / rate
    samples: Samples = (12_000 * np.sin(2 * np.pi * 220 * at)).astype(np.int16)
    return samples


def test_every_sample_goes_out_once_and_in_order() -> None:
    device = Device()
    sound = tone(0.5)
    for piece in np.array_split(sound, 7):
        device.speaker.write(piece.data)
    device.blocks(60)
    assert np.array_equal(device.out[: len(sound)], sound)
    assert not device.out[len(sound) :].any()


def test_a_sample_counts_as_heard_only_when_it_has_left_the_speaker() -> None:
    device = Device()
    device.speaker.write(tone(0.1).data)
    device.blocks(3)  # the first of them is heard from now on
    assert device.speaker.held() == 2400
    device.block()
    assert device.speaker.held() == 2400 - 240
    device.blocks(8)
    assert device.speaker.held() == 240
    device.block()
    assert device.speaker.held() == 0


@pytest.mark.parametrize("blocks", range(1, 20))
def test_a_cut_is_silent_within_one_block_and_does_not_click(blocks: int) -> None:
    device = Device()
    sound = tone(0.3)
    device.speaker.write(sound.data)
    device.blocks(blocks)
    dropped = device.speaker.drop()
    device.blocks(5)

    assert dropped == len(sound) - 240 * blocks
    quiet = blocks * 240 + round(FADE * RATE)
    assert not device.out[quiet:].any()
    steepest = max(abs(int(b) - int(a)) for a, b in pairwise(sound))
    assert max(abs(int(b) - int(a)) for a, b in pairwise(device.out)) < 1.5 * steepest


def test_what_is_on_its_way_at_a_cut_belongs_to_no_later_sound() -> None:
    device = Device()
    device.speaker.write(tone(0.3).data)
    device.blocks(5)
    device.speaker.drop()
    assert device.speaker.held() == 0
    device.speaker.write(tone(0.01).data)
    assert device.speaker.held() == 240
    assert device.speaker.drop() == 240


@pytest.mark.parametrize("blocks", [1, 5, 10])
def test_a_block_that_the_device_has_lost_is_played_again_and_heard_once(blocks: int) -> None:
    device = Device()
    sound = tone(0.1)
    device.speaker.write(sound.data)
    device.blocks(blocks)
    device.speaker.again()
    lost = slice(240 * (blocks - 1), 240 * blocks)
    assert device.speaker.held() >= len(sound) - lost.start
    device.blocks(15)

    assert np.array_equal(np.delete(device.out, lost)[: len(sound)], sound)
    assert device.speaker.held() == 0


def test_what_was_cut_is_not_played_again() -> None:
    device = Device()
    device.speaker.write(tone(0.1).data)
    device.blocks(5)
    device.speaker.drop()
    device.speaker.again()
    device.blocks(5)
    assert not device.out[5 * 240 + round(FADE * RATE) :].any()


def test_a_pause_and_its_resumption_lose_and_repeat_nothing() -> None:
    device = Device()
    sound = tone(0.3)
    device.speaker.write(sound.data)
    device.blocks(7)
    heard = len(sound) - device.speaker.drop()
    device.blocks(3)
    device.speaker.write(sound[heard:].data)
    device.blocks(40)

    faded = round(FADE * RATE)
    assert np.array_equal(device.out[: 7 * 240], sound[: 7 * 240])
    again = device.out[10 * 240 :][: len(sound) - heard]
    assert np.array_equal(again[faded:], sound[heard + faded :])  # the very next sample on
    assert abs(again[:faded]).max() <= abs(sound[heard : heard + faded]).max()  # comes up softly


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_device_with_a_rate_of_its_own_plays_it_all(rate: int) -> None:
    device = Device(rate=rate)
    sound = tone(0.5)
    for piece in np.array_split(sound, 9):
        device.speaker.write(piece.data)
    assert device.speaker.held() == pytest.approx(len(sound), abs=2)
    device.blocks(49)
    spectrum = abs(np.fft.rfft(device.out[: rate * 4 // 10]))
    assert np.argmax(spectrum) * rate / (rate * 4 // 10) == pytest.approx(220, abs=3)
    device.blocks(6)
    assert device.speaker.held() == 0
    assert device.speaker.drop() == 0


@pytest.mark.parametrize("blocks", range(12))
def test_nothing_beyond_what_was_written_is_dropped(blocks: int) -> None:
    device = Device(rate=44_100)
    for piece in np.array_split(tone(0.1), 17):
        device.speaker.write(piece.data)
    device.blocks(blocks)
    assert 0 <= device.speaker.drop() <= 2400


def test_what_waits_moves_to_the_next_device_at_its_rate() -> None:
    device = Device()
    device.speaker.write(tone(0.2).data)
    device.blocks(10)
    device.speaker.plays_at(48_000)
    device.rate = 48_000
    assert device.speaker.held() == pytest.approx(2400 + round(LATENCY * RATE), abs=2)
    device.out = device.out[:0]
    device.blocks(14)
    assert np.flatnonzero(device.out)[-1] == pytest.approx(4800, abs=120)
    assert device.speaker.held() == 0
