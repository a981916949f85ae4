"""Whether a word can be in a sound: a recogniser writes words for coughs and hums too.

Every word has a vowel: a pitch, and above it what an open mouth makes of it. A cough, a slammed
door and breath in the microphone have no pitch; a hum has next to nothing above its lowest tones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from antiphon.nodes.local.sound import Samples

RATE: Final = 16_000
WINDOW: Final = 512  # samples: several periods of a low voice
HOP: Final = 160
SIZE: Final = 1024  # of the transforms
VOWEL: Final = 4  # windows in a row: of noise and a hum a few look like a vowel
FAINT: Final = 10**-2.5  # of the power of the loudest window: what is fainter is an echo, or noise
FAINTEST: Final = 1.6e8  # of a window, at all: it is 40 of a sample's 32,768
OPEN: Final = 10**-3.1  # of a window's power, above the lowest tones; "you" has little more
EDGE: Final = 4.0  # times as loud as 10 ms before, or as quiet: what is in a window is its edge
ALIKE: Final = 0.5  # correlation of a window with itself a period later; of noise it is 0.3

_FREQUENCIES = np.fft.rfftfreq(SIZE, 1 / RATE)
_ALL = (_FREQUENCIES >= 150) & (_FREQUENCIES <= 6800)  # a slam is lower
_VOICED = (_FREQUENCIES >= 150) & (_FREQUENCIES <= 3400)
_HIGH = (_FREQUENCIES >= 500) & (_FREQUENCIES <= 3400)
_PERIODS = slice(RATE // 400, RATE // 80)  # of voices, in samples

_TAPER = np.hanning(WINDOW)
_TAPERED = np.fft.irfft(np.abs(np.fft.rfft(_TAPER, SIZE)) ** 2)[: _PERIODS.stop]


class Mouth:
    """Hears one utterance.

    Mutable state: the samples that do not fill a window yet, the power of the loudest, and how many
    of the last ones were of a vowel.
    """

    def __init__(self) -> None:
        self._left = np.empty(0, np.int16)
        self._loudest = 0.0
        self._power = 0.0
        self._vowel = 0

    @property
    def open(self) -> bool:
        """A vowel was heard."""
        return self._vowel >= VOWEL

    def hear(self, samples: Samples) -> None:
        """Hear more of it; once there was a vowel, that costs nothing."""
        if self.open:
            return
        sound = np.concatenate([self._left, samples])
        places = range(0, len(sound) - WINDOW + 1, HOP)
        spectra = [
            np.abs(np.fft.rfft(sound[at : at + WINDOW] * _TAPER, SIZE)) ** 2 for at in places
        ]
        self._loudest = max([self._loudest, *(float(each[_ALL].sum()) for each in spectra)])
        for spectrum in spectra:
            self._vowel = self._vowel + 1 if self._is_vowel(spectrum) else 0
            if self.open:
                return
        self._left = sound[len(places) * HOP :]

    def _is_vowel(self, spectrum: NDArray[np.float64]) -> bool:
        before, power = self._power, float(spectrum[_ALL].sum())
        self._power = power
        if not before / EDGE < power < before * EDGE:
            return False
        if power < max(FAINTEST, FAINT * self._loudest) or spectrum[_HIGH].sum() < OPEN * power:
            return False
        alike = np.fft.irfft(np.where(_VOICED, spectrum, 0.0))[: _PERIODS.stop] / _TAPERED
        return bool(alike[_PERIODS].max() > ALIKE * alike[0])
