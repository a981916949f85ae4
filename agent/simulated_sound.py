"""What a simulated caller sounds like, for detectors and recognisers that are not scripted.

A detector needs only something that is a voice: a buzz with the resonances of a mouth, in
syllables. A recogniser needs words, which a TTS speaks. All is 16 kHz, 16-bit, mono, and the same
for the same script.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import soxr

from antiphon.nodes.callers import FRAME, RATE
from antiphon.simulated_caller import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from livekit.agents import tts

    from antiphon.nodes.wav import Samples

PITCH: Final = 120.0  # Hz
RESONANCES: Final = ((700.0, 130.0), (1220.0, 150.0), (2600.0, 250.0))  # of "ah": Hz, width
SYLLABLE: Final = 0.2  # seconds
LOUD: Final = 0.5  # of full scale


def voice(seconds: float) -> Samples:
    """Somebody says something, in syllables of one vowel."""
    t = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(t))
    for harmonic in np.arange(PITCH, 4000.0, PITCH):
        gain = sum(1 / (1 + ((harmonic - centre) / width) ** 2) for centre, width in RESONANCES)
        sound += gain * np.sin(2 * np.pi * harmonic * t)
    return _loud(sound * (0.65 - 0.35 * np.cos(2 * np.pi * t / SYLLABLE)))


def noise(seconds: float) -> Samples:
    """A cough: a burst of noise that dies away."""
    t = np.arange(round(seconds * RATE)) / RATE
    burst = np.random.default_rng(7).standard_normal(len(t))
    spectrum = np.fft.rfft(burst)
    frequency = np.fft.rfftfreq(len(t), 1 / RATE)
    spectrum[(frequency < 400.0) | (frequency > 3000.0)] = 0
    return _loud(np.fft.irfft(spectrum, len(t)) * np.exp(-2 * t / seconds))


async def words(model: tts.TTS[Any], text: str) -> Samples:
    """`text` as `model` speaks it, without the silence around it."""
    async with model.synthesize(text) as stream:
        frame = await stream.collect()
    samples = np.frombuffer(frame.data, np.int16)
    if frame.sample_rate != RATE:
        samples = soxr.resample(samples, frame.sample_rate, RATE)
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def placed(pieces: tuple[Piece, ...], spoken: dict[str, Samples]) -> tuple[Piece, ...]:
    """The same utterance, its words as long as they are `spoken`, its pauses as they were."""
    moved: list[Piece] = []
    for before, piece in zip((None, *pieces), pieces, strict=False):
        begin = 0.0 if before is None else moved[-1].end + piece.begin - before.end
        samples = spoken.get(piece.text)
        lasts = piece.end - piece.begin if samples is None else len(samples) / RATE
        moved.append(Piece(piece.text, begin, begin + lasts))
    return tuple(moved)


def blocks(pieces: tuple[Piece, ...], spoken: dict[str, Samples]) -> Iterator[Samples]:
    """The sound of an utterance, in blocks of one frame."""
    size = round(FRAME * RATE)
    length = -(-round(pieces[-1].end * RATE) // size) * size
    track = np.zeros(length, np.int16)
    for piece in pieces:
        samples = spoken.get(piece.text)
        if samples is None:
            lasts = piece.end - piece.begin
            samples = voice(lasts) if piece.text else noise(lasts)
        start = round(piece.begin * RATE)
        samples = samples[: length - start]
        track[start : start + len(samples)] = samples
    for start in range(0, length, size):
        yield track[start : start + size]


async def spoken(model: tts.TTS[Any], texts: list[str]) -> dict[str, Samples]:
    """The sound of each text; asked for one after the other."""
    found: dict[str, Samples] = {}
    for text in texts:
        if text and text not in found:
            found[text] = await words(model, text)
            await asyncio.sleep(0)
    return found


def _loud(sound: npt.NDArray[np.float64]) -> Samples:
    peak = float(np.abs(sound).max()) if len(sound) else 1.0
    samples: Samples = np.round(sound * (LOUD * 32767 / (peak or 1.0))).astype(np.int16)
    return samples
