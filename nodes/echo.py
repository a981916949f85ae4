"""Takes the agent's own voice out of what the microphone hears.

WebRTC's canceller (in the package `livekit`, no server needed) is given everything that goes out
and everything that comes in. It has to hear some of the agent's voice before it can tell: until
it has, and where it is switched off, the microphone is not listened to while the agent speaks.

It leaves nothing of the echo, and little of a voice over it. So it says whether somebody speaks,
and what is let through of words is the microphone's own sound, less the echo as `echo_path` knows
it.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Final

import numpy as np
from livekit import rtc

from antiphon.nodes.echo_path import EchoPath
from antiphon.nodes.local.mouth import Mouth

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.nodes.local.sound import Samples

RATE: Final = 16_000  # Hz, of everything here
DELAY: Final = 60  # milliseconds from speaker to microphone: a first guess, it finds out by itself
STEP: Final = 160  # samples: the canceller takes 10 ms at a time
LEAD: Final = 0.02  # seconds that the canceller knows a sound before it can be heard
APART: Final = 0.015  # seconds by which a step may be off its time before it is left out
NEAREST: Final = 0.005  # seconds by which the next one then is
WAITING: Final = 1000  # steps for the speaker that the microphone has not caught up with
LINGERS: Final = 35  # steps that a sound goes on in the room and in the devices
LEARNS: Final = 100  # steps of the agent's voice of which none may come through
DOUBT: Final = 15  # steps: nothing that is shorter is anybody
KEPT: Final = 40  # steps before somebody is believed to speak of which all is let through
HUMS: Final = 15  # steps that a voice may take to its first vowel
PART: Final = 5  # steps compared with what was sent, at a time
SURE: Final = 10  # of them, which must be loud
LATEST: Final = 20  # steps after which an echo is looked for no more
ALIKE: Final = 0.7  # correlation with what was sent from which on a sound is its echo
EVERY: Final = 5  # steps after which somebody who is heard is compared with it again
STAYS: Final = 0.3  # part of a sound's amplitude: of an echo, less is left
OPEN: Final = 50  # steps after the last loud one for which all is let through
RISES: Final = 1.01  # how fast a room's noise is followed upwards, a step
AUDIBLE: Final = 30.0  # root mean square of a step of sound that counts as such
RESTS: Final = 100  # steps with nothing in the room after which nothing is worked on
STIRS: Final = 1.5  # times the loudness of the room's noise: somebody may be speaking


class Duplex(Enum):
    """Whether the user is heard while the agent speaks."""

    HALF = "the agent cannot be interrupted by voice: there is no echo cancellation"
    LEARNING = "the agent cannot be interrupted by voice yet: it is learning the room's echo"
    FULL = "the agent can be interrupted by voice"


class Echo:
    """`went_out` and `came_in` are told what passes the devices, and when it is in the room.

    `cancels`: with the canceller. `headset`: nothing of the agent's voice reaches the microphone,
    so that there is nothing to cancel. `on_change` is called when `duplex` has changed.

    While the agent sounds, only what stays loud behind the canceller is let through, and then all
    of it, from `KEPT` before: what is left of an echo when a device stumbles is short. Words are
    the microphone's sound without the echo; of hums and coughs, what the canceller left.

    While nothing is said by either, what comes in is the room's noise, and the canceller rests: it
    would take most of the time that listening costs.

    Mutable state: what goes out and when, whether it is in the room, what came in and is in doubt,
    since when nothing of the agent's voice has come through, and since when there was none at all.
    """

    def __init__(
        self,
        *,
        cancels: bool = True,
        headset: bool = False,
        on_change: Callable[[Duplex], None] = lambda duplex: None,
    ) -> None:
        self.duplex = Duplex.LEARNING if cancels else Duplex.FULL if headset else Duplex.HALF
        self._on_change = on_change
        self._cancels = cancels
        self._module = rtc.AudioProcessingModule(
            echo_cancellation=cancels,
            noise_suppression=True,
            high_pass_filter=True,
            auto_gain_control=True,
        )
        self._module.set_stream_delay_ms(DELAY)
        self._out: deque[tuple[float, Samples]] = deque(maxlen=WAITING)
        self._sounding = 0  # steps for which the agent's voice is still in the room
        self._loud: deque[bool] = deque(maxlen=DOUBT)  # whether the last steps stayed so
        self._raw: deque[Samples] = deque(maxlen=DOUBT)
        self._sent: deque[Samples] = deque(maxlen=DOUBT + LATEST)
        self._looks = 0
        self._path = EchoPath()
        self._held: deque[tuple[float, Samples, Samples]] = deque(maxlen=KEPT + HUMS)
        self._mouth = Mouth()  # of whoever may be speaking
        self._hums = 0  # steps for which they have, without a vowel
        self._open = 0  # steps for which all is let through
        self._ahead = 0  # steps let through in the place of which there had been silence
        self._without = 0  # steps of the agent's voice of which nothing came through
        self._floor = AUDIBLE  # root mean square of the room's noise, as it is heard
        self._room = 0.0  # and as the microphone has it
        self._quiet = 0  # steps without anything else
        self._random = np.random.default_rng(0)

    def went_out(self, at: float, samples: Samples) -> None:
        """10 ms for the speaker, silence included, that is heard from `at` seconds on."""
        self._out.append((at, samples))

    def came_in(self, at: float, samples: Samples) -> list[tuple[float, Samples]]:
        """10 ms that the microphone heard from `at` seconds on; what is to be heard, and when."""
        out = self._out_at(at + LEAD)
        if _loudness(out) > AUDIBLE:
            self._sounding = LINGERS
        elif self._sounding:
            self._sounding -= 1
        before = _loudness(samples)
        self._raw.append(samples)
        self._sent.append(out)
        if self._rests(before):
            self._loud.append(False)
            return [(at, self._noise(self._floor))]
        cleaned = self._cleaned(out, samples)
        loudness = _loudness(cleaned)
        self._floor = min(loudness, max(self._floor, 1.0) * RISES)
        self._loud.append(loudness > max(AUDIBLE, STAYS * before))
        return self._heard(at, cleaned, self._whole(out, samples, cleaned))

    def _whole(self, out: Samples, samples: Samples, cleaned: Samples) -> Samples:
        """A voice as the microphone has it."""
        if not self._sounding:
            return samples
        rest = self._path.without(out, samples, alone=not any(self._loud))
        return rest if self._path.known else cleaned

    def _rests(self, loudness: float) -> bool:
        """Neither of them has been heard for a while."""
        self._room = min(loudness, max(self._room, 1.0) * RISES)
        stirs = self._sounding or loudness > max(AUDIBLE, STIRS * self._room)
        self._quiet = 0 if stirs else self._quiet + 1
        return self._quiet > RESTS

    def _cleaned(self, out: Samples, samples: Samples) -> Samples:
        frame = _frame(samples)
        if self._cancels:
            self._module.process_reverse_stream(_frame(out))
        self._module.process_stream(frame)
        return np.frombuffer(frame.data, np.int16)

    def _heard(self, at: float, cleaned: Samples, whole: Samples) -> list[tuple[float, Samples]]:
        """What is let through of a step: all of it, none, or also what was held before it."""
        if self.duplex is Duplex.FULL and not self._cancels:
            return [(at, cleaned)]
        if self.duplex is not Duplex.HALF:
            self._opens(cleaned)
        if self.duplex is Duplex.LEARNING and self._sounding:
            self._learn()
        if self.duplex is not Duplex.FULL:
            return [(at, self._hush() if self._sounding else cleaned)]
        if not self._sounding and not self._open:
            self._held.clear()
            return [(at, cleaned)]

        self._held.append((at, cleaned, whole))
        if self._open and (self._mouth.open or self._hums > HUMS):
            return self._let_through()
        if self._ahead:  # the silence for this step has been given
            self._ahead -= 1
            return []
        return [(at, self._hush())]

    def _opens(self, cleaned: Samples) -> None:
        """Somebody speaks, or goes on; whether it is with words."""
        if sum(self._loud) >= SURE and not (self._sounding and self._echoes()):
            self._open = OPEN
        elif self._open:
            self._open -= 1
        if self._open or any(self._loud):
            self._mouth.hear(cleaned)
        else:
            self._mouth = Mouth()
        self._hums = self._hums + 1 if self._open else 0

    def _let_through(self) -> list[tuple[float, Samples]]:
        words = self._mouth.open and (any(self._loud) or not self._sounding)
        let_through = [(at, whole if words else cleaned) for at, cleaned, whole in self._held]
        self._held.clear()
        self._ahead += len(let_through) - 1
        return let_through

    def _echoes(self) -> bool:
        """What has stayed loud is the agent's voice all the same: there is nothing else in it.

        The canceller takes a second or two to follow an echo that has become quicker.
        """
        self._looks = (self._looks + 1) % EVERY
        if self._looks and self._open:
            return False
        if len(self._sent) < LATEST + DOUBT:
            return False
        raw, sent = list(self._raw), list(self._sent)
        # A device that stumbles spoils one part of them.
        echoes = [
            _part_of(sent[at : at + LATEST + PART], raw[at : at + PART])
            for at in range(0, DOUBT, PART)
        ]
        return sum(echoes) >= len(echoes) - 1

    def _learn(self) -> None:
        self._without = 0 if self._open else self._without + 1
        if self._without >= LEARNS:
            self.duplex = Duplex.FULL
            self._on_change(self.duplex)

    def _out_at(self, at: float) -> Samples:
        """What the speaker plays at that time; what is late, or was lost on the way, is silence.

        The order in which both devices' threads are served says little on a busy machine.
        """
        if self._out and self._out[0][0] < at - APART:
            while self._out and self._out[0][0] < at - NEAREST:
                self._out.popleft()
        if not self._out or self._out[0][0] > at + APART:
            return np.zeros(STEP, np.int16)
        return self._out.popleft()[1]

    def _hush(self) -> Samples:
        """The room as it sounds when nobody speaks: after no sound at all, a breath is an onset."""
        return self._noise(min(self._floor, AUDIBLE))

    def _noise(self, loudness: float) -> Samples:
        return (self._random.standard_normal(STEP) * loudness).astype(np.int16)


def _part_of(sent: list[Samples], raw: list[Samples]) -> bool:
    """`raw` is but some stretch of `sent`, at whatever loudness."""
    long = np.concatenate(sent).astype(np.float32)
    short = np.concatenate(raw).astype(np.float32)
    size = 2 * len(long)
    spectrum = np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size))
    alike = np.fft.irfft(spectrum, size)[: len(long) - len(short) + 1]
    energy = np.concatenate([[0.0], np.cumsum(np.square(long, dtype=np.float64))])
    power = (energy[len(short) :] - energy[: -len(short)]) * float(short.dot(short))
    return bool((np.abs(alike) > ALIKE * np.sqrt(power) + 1.0).any())


def _frame(samples: Samples) -> rtc.AudioFrame:
    return rtc.AudioFrame(bytearray(samples.tobytes()), RATE, 1, len(samples))


def _loudness(samples: Samples) -> float:
    loud = samples.astype(np.float32)
    return float(np.sqrt(loud.dot(loud) / len(samples)))
