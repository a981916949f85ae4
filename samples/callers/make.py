"""Makes the recorded callers beside this file: flite's voice rms, placed on a timed list.

Needs Debian's `flite` and numpy. Times are seconds after the caller has listened; their pauses are
exact, because each piece of speech is cut to its first and last sounding sample. The same list
gives the same bytes.

    python samples/callers/make.py
"""

import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SPOKEN = 16000  # Hz of flite's voice rms
RATE = 12000  # of the files: a voice loses nothing by it, and together they stay under 1 MB
PEAK = 0.7  # of full scale, -3 dB
LISTENS = 3.0  # seconds in which a caller hears who is there, before the first word
TAIL = 0.3  # seconds of silence after the last piece

Sound = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Words:
    """Something said; read by flite."""

    text: str

    def sound(self) -> Sound:
        return flite("-t", self.text)


@dataclass(frozen=True, slots=True)
class Hum:
    """An acknowledgement with no word in it; this phone is what a recogniser hears as "mm"."""

    phone: str = "m"

    def sound(self) -> Sound:
        return flite("-p", f"pau {self.phone} pau") * 0.6


@dataclass(frozen=True, slots=True)
class Cough:
    """Two bursts of noise, as a throat makes them; the seed keeps them the same."""

    seed: int = 7

    def sound(self) -> Sound:
        noise = np.random.default_rng(self.seed)
        bursts = [
            band(noise.standard_normal(int(length * RATE)), 400.0, 3000.0) * decay(length)
            for length in (0.14, 0.18)
        ]
        cough = np.concatenate([bursts[0], np.zeros(int(0.06 * RATE)), bursts[1]])
        return cough * (0.8 * PEAK / float(np.abs(cough).max()))


CALLERS: dict[str, list[tuple[float, Words | Hum | Cough]]] = {
    "hello": [
        (0.0, Words("Hello.")),
        (4.8, Words("What time is it?")),
        (9.6, Words("Many thanks. Goodbye.")),
    ],
    # The pause is just short of the half second that ends a turn.
    "hesitates": [
        (0.0, Words("I would like to know")),
        (1.65, Words("what is twelve times seven.")),
    ],
    "interrupts": [
        (0.0, Words("I would like to hear your story.")),
        (5.4, Words("Stop. What time is it?")),
    ],
    "hums": [
        (0.0, Words("Please tell me your story.")),
        (3.8, Hum()),
        (4.1, Hum()),
        (5.1, Hum()),
        (6.1, Cough()),
    ],
}


def flite(*arguments: str) -> Sound:
    """What flite says, at the common loudness, with no silence before or after it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run(["flite", "-voice", "rms", *arguments, "-o", str(path)], check=True)
        with wave.open(str(path)) as file:
            if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (SPOKEN, 1, 2):
                raise SystemExit(
                    f"flite made {file.getparams()}; wanted {SPOKEN} Hz, mono, 16 bits"
                )
            said = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
    sounding = np.flatnonzero(np.abs(said) > 0.01 * np.abs(said).max())
    said = slower(said[sounding[0] : sounding[-1] + 1])
    return said * (PEAK / float(np.abs(said).max()))


def slower(said: Sound) -> Sound:
    """What was sampled at SPOKEN, at RATE: the spectrum without what is too high for that."""
    length = round(len(said) * RATE / SPOKEN)
    return np.fft.irfft(np.fft.rfft(said)[: length // 2 + 1], length) * (length / len(said))


def band(noise: Sound, low: float, high: float) -> Sound:
    """The part of `noise` between two frequencies, in Hz."""
    spectrum = np.fft.rfft(noise)
    frequency = np.fft.rfftfreq(len(noise), 1 / RATE)
    spectrum[(frequency < low) | (frequency > high)] = 0
    return np.fft.irfft(spectrum, len(noise))


def decay(length: float) -> Sound:
    """A sharp attack that dies away within `length` seconds."""
    t = np.arange(int(length * RATE)) / RATE
    return np.minimum(t / 0.01, 1.0) * np.exp(-t / (length / 4))


def record(name: str, pieces: list[tuple[float, Words | Hum | Cough]]) -> None:
    """Write one caller, and print where each piece lies."""
    track = np.zeros(0)
    for after, piece in pieces:
        start = LISTENS + after
        at, sound = round(start * RATE), piece.sound()
        if at < len(track):
            raise SystemExit(f"{name}: {piece} at {start} s begins before the last piece has ended")
        track = np.concatenate([track, np.zeros(at - len(track)), sound])
        print(f"{name:10} {start:6.2f} - {len(track) / RATE:6.2f} s  {piece}")
    track = np.concatenate([track, np.zeros(round(TAIL * RATE))])
    with wave.open(str(Path(__file__).parent / f"{name}.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(track * 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    for name, pieces in CALLERS.items():
        record(name, pieces)
