"""Tries the devices of this machine outside of any session: do they open, and is anything heard?"""

from __future__ import annotations

import threading
from math import log10
from typing import TYPE_CHECKING, Final

import numpy as np
import soxr

from antiphon.nodes.portaudio import BLOCK

if TYPE_CHECKING:
    from antiphon.nodes.devices import Device, Side
    from antiphon.nodes.local.sound import Samples
    from antiphon.nodes.portaudio import Driver

RATE: Final = 16_000  # Hz
SILENCE: Final = -120.0  # dBFS, of samples that are all zero
PATIENCE: Final = 3.0  # seconds more than it should take


def opens(driver: Driver, side: Side, wanted: str = "") -> Device:
    """The device that is meant, once it was open for a moment; raises NoSound."""
    device = driver.device(side, wanted)
    start = driver.record if side == "input" else driver.play
    start(device, RATE, _ignore).close()
    return device


def recorded(driver: Driver, seconds: float, wanted: str = "") -> Samples:
    """What the microphone hears for so long, at 16 kHz; raises NoSound."""
    blocks: list[Samples] = []
    enough = threading.Event()
    heard = 0.0

    def take(block: Samples, at: float) -> None:
        nonlocal heard
        blocks.append(block)
        heard += BLOCK
        if heard >= seconds:
            enough.set()

    running = driver.record(driver.device("input", wanted), RATE, take)
    enough.wait(seconds + PATIENCE)
    running.close()
    sound = np.concatenate([np.empty(0, np.int16), *blocks])
    return _resampled(sound, running.rate, RATE)


def played(driver: Driver, samples: Samples, wanted: str = "") -> None:
    """Play that (16 kHz) to its end; raises NoSound."""
    left: Samples | None = None
    over = threading.Event()

    def fill(block: Samples, at: float) -> None:
        nonlocal left
        block[:] = 0
        if left is not None:
            block[: len(left)] = left[: len(block)]
            left = left[len(block) :]
            if not len(left):
                over.set()

    running = driver.play(driver.device("output", wanted), RATE, fill)
    left = _resampled(samples, RATE, running.rate)
    over.wait(len(samples) / RATE + PATIENCE)
    running.close()


def _resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    resampled: Samples = soxr.resample(samples, rate, wanted) if rate != wanted else samples
    return resampled


def level(samples: Samples) -> float:
    """The loudest of some samples in dBFS: 0 at most."""
    peak = int(abs(samples.astype(np.int32)).max()) if len(samples) else 0
    return 20 * log10(peak / 32_768) if peak else SILENCE


def _ignore(block: Samples, at: float) -> None:
    block[:] = 0
