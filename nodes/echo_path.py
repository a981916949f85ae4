"""Learns the way of a sound from the speaker to the microphone, and subtracts what comes by it.

A Kalman filter in the frequency domain, in blocks of 10 ms: G. Enzner and P. Vary,
"Frequency-domain adaptive Kalman filter for acoustic echo control in hands-free telephones",
Signal Processing 86 (2006); for a way that is longer than a block, F. Kuech, E. Mabande and
G. Enzner, "State-space architecture of the partitioned-block-based acoustic echo controller",
ICASSP 2014.

It only subtracts, so that a voice over the agent's stays whole. It needs nobody to tell it that
somebody speaks: what the way does not explain counts as noise, and of noise little is learnt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from antiphon.nodes.local.sound import Samples

STEP: Final = 160  # samples of a block
PARTS: Final = 24  # blocks that a way is long: the devices' delay, and the room
LASTS: Final = 0.9998  # part of what is known of a way that is still true a block later
UNKNOWN: Final = 0.3  # variance of the beginning of a way of which nothing is known
FADES: Final = 0.85  # and of each later block of it, of the one before
FOLLOWS: Final = 0.3  # how fast the noise's spectrum is followed, a block
FULL: Final = 32_768.0  # the loudest sample
LEARNS: Final = 0.05  # how fast it is learnt what is left of an echo, a block
POOR: Final = 0.1  # of an echo's power is left: this is of no use

Spectra: TypeAlias = "NDArray[np.complexfloating[Any]]"


class EchoPath:
    """Mutable state: the spectra of what was sent, the way's, how unsure that is, the noise's; and
    the power of echoes and of what was left of them.
    """

    def __init__(self) -> None:
        shape = (PARTS, STEP + 1)
        self._last = np.zeros(STEP, np.float32)
        self._sent: Spectra = np.zeros(shape, np.complex64)
        self._way: Spectra = np.zeros(shape, np.complex64)
        self._unsure = np.empty(shape, np.float32)
        self._forget()
        self._noise = np.zeros(STEP + 1, np.float32)
        self._echoes = self._left = 1.0

    def _forget(self) -> None:
        self._way[:] = 0.0
        self._unsure[:] = (UNKNOWN * FADES ** np.arange(PARTS))[:, np.newaxis]

    @property
    def known(self) -> bool:
        """Little is left of an echo."""
        return self._left < POOR * self._echoes

    def without(self, sent: Samples, heard: Samples, *, alone: bool) -> Samples:
        """What is in a block that was heard beside the echo of what was sent until now.

        `alone`: nobody else is believed to speak.
        """
        now = sent.astype(np.float32) / FULL
        self._sent[1:] = self._sent[:-1]
        self._sent[0] = np.fft.rfft(np.concatenate([self._last, now]))
        self._last = now
        echo = np.fft.irfft((self._sent * self._way).sum(axis=0))[STEP:]
        rest = heard.astype(np.float32) / FULL - echo
        self._learn(rest)
        if alone:
            self._judge(float(echo.dot(echo)), float(rest.dot(rest)))
        return np.clip(rest * FULL, -FULL, FULL - 1).astype(np.int16)

    def _learn(self, rest: NDArray[np.floating[Any]]) -> None:
        error = np.fft.rfft(np.concatenate([np.zeros(STEP, np.float32), rest]))
        self._noise += FOLLOWS * (_power(error) - self._noise)
        power = _power(self._sent)
        explained = (power * self._unsure).sum(axis=0)
        gain = self._unsure / (explained + 2 * self._noise + 1e-9)
        change = np.fft.irfft(gain * np.conj(self._sent) * error, axis=1)
        change[:, STEP:] = 0.0  # a block of the way has no more samples
        self._way *= LASTS
        self._way += np.fft.rfft(change, axis=1)
        self._unsure *= (1 - 0.5 * gain * power) * LASTS**2
        self._unsure += (1 - LASTS**2) * _power(self._way)

    def _judge(self, echo: float, rest: float) -> None:
        """What is left of an echo; somebody may have begun to speak, so it grows slowly."""
        known, expected = self.known, echo * self._left / self._echoes
        self._echoes += LEARNS * (echo - self._echoes)
        self._left += LEARNS * (min(rest, 2 * expected) - self._left)
        if known and not self.known:  # a device has stumbled: the way is another
            self._forget()


def _power(spectrum: Spectra) -> NDArray[np.floating[Any]]:
    return np.square(spectrum.real) + np.square(spectrum.imag)
