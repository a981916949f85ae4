"""Takes the agent's own voice out of what the microphone hears.

WebRTC's canceller (in the package `livekit`, no server needed) is given everything that goes out
and everything that comes in. It has to hear some of the agent's voice before it can tell: until
it has, and where it is switched off, the microphone is not listened to while the agent speaks.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

import numpy as np
from livekit import rtc

from antiphon.nodes.local.vad import Detector

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.nodes.local.sound import Samples

RATE: Final = 16_000  # Hz, of everything here
DELAY: Final = 60  # milliseconds from speaker to microphone: a first guess, it finds out by itself
STEP: Final = 160  # samples: the canceller takes 10 ms at a time
LINGERS: Final = 35  # steps that a sound goes on in the room and in the devices
LEARNS: Final = 100  # steps of the agent's voice, in which none of it may get through
RISES: Final = 1.01  # how fast a room's noise is followed upwards, a step
AUDIBLE: Final = 30.0  # root mean square of a step of sound that counts as such


class Duplex(Enum):
    """Whether the user is heard while the agent speaks."""

    HALF = "the agent cannot be interrupted by voice: there is no echo cancellation"
    LEARNING = "the agent cannot be interrupted by voice yet: it is learning the room's echo"
    FULL = "the agent can be interrupted by voice"


class Echo:
    """`went_out` and `came_in` are told, in order, what passes the devices.

    `cancels`: with the canceller. `headset`: nothing of the agent's voice reaches the microphone,
    so that there is nothing to cancel. `on_change` is called when `duplex` has changed.

    Mutable state: whether the agent's voice is in the room, and for how long nothing of it has
    come through the canceller.
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
        self._detector = Detector()
        self._sounding = 0  # steps for which the agent's voice is still in the room
        self._without = 0  # steps with it in which nothing was heard of it
        self._floor = AUDIBLE  # root mean square of the room's noise
        self._random = np.random.default_rng(0)

    def went_out(self, samples: Samples) -> None:
        """10 ms for the speaker, silence included."""
        if self._cancels:
            self._module.process_reverse_stream(_frame(samples))
        if _loudness(samples) > AUDIBLE:
            self._sounding = LINGERS
        elif self._sounding:
            self._sounding -= 1

    def came_in(self, samples: Samples) -> Samples:
        """10 ms from the microphone; what is to be heard of them."""
        frame = _frame(samples)
        if self._cancels:
            self._module.set_stream_delay_ms(DELAY)
        self._module.process_stream(frame)
        if self.duplex is Duplex.LEARNING:
            self._learn(frame)
        if self._sounding and self.duplex is not Duplex.FULL:
            return self._hush()
        cleaned = np.frombuffer(frame.data, np.int16)
        self._floor = min(_loudness(cleaned), self._floor * RISES)
        return cleaned

    def _hush(self) -> Samples:
        """The room as it sounds when nobody speaks: after no sound at all, a breath is an onset."""
        noise = self._random.standard_normal(STEP) * min(self._floor, AUDIBLE)
        return noise.astype(np.int16)

    def _learn(self, frame: rtc.AudioFrame) -> None:
        """Its own voice must stay unheard for a while, to the same ears that would stop for it.

        They begin to hear between two sounds: in the middle of one, what little is left of it is
        new to them, and an onset.
        """
        self._detector.edges(frame)
        if self._sounding:
            self._without = 0 if self._detector.speaking else self._without + 1
        elif self._without >= LEARNS:
            self.duplex = Duplex.FULL
            self._on_change(self.duplex)


def _frame(samples: Samples) -> rtc.AudioFrame:
    return rtc.AudioFrame(bytearray(samples.tobytes()), RATE, 1, len(samples))


def _loudness(samples: Samples) -> float:
    loud = samples.astype(np.float32)
    return float(np.sqrt(loud.dot(loud) / len(samples)))
