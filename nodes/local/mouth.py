"""Whether a word can be in a sound: a recogniser writes words for coughs and hums too.

Every word has a vowel: a pitch, and above it what an open mouth makes of it. A cough, a slammed
door and breath in the microphone have no pitch; a hum has next to nothing above its lowest tones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from antiphon.nodes.local.sound import Samples

RATE: Final = 16_000
WINDOW: Final = 512  # samples: several periods of a low voice
HOP: Final = 160
SIZE: Final = 1024  # of the transforms
VOWEL: Final = 3  # windows in a row: of noise and a hum one or two look like a vowel
FAINT: Final = 10**-2.5  # of the power of the loudest window: what is fainter is an echo, or noise
OPEN: Final = 10**-2.8  # of a window's power, above the lowest tones; "you" has little more
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
        at = 0
        while at + WINDOW <= len(sound):
            self._vowel = self._vowel + 1 if self._is_vowel(sound[at : at + WINDOW]) else 0
            at += HOP
            if self.open:
                return
        self._left = sound[at:]

    def _is_vowel(self, window: Samples) -> bool:
        spectrum = np.abs(np.fft.rfft(window * _TAPER, SIZE)) ** 2
        power = float(spectrum[_ALL].sum())
        self._loudest = max(self._loudest, power)
        if not power or power < FAINT * self._loudest or spectrum[_HIGH].sum() < OPEN * power:
            return False
        alike = np.fft.irfft(np.where(_VOICED, spectrum, 0.0))[: _PERIODS.stop] / _TAPERED
        return bool(alike[_PERIODS].max() > ALIKE * alike[0])
