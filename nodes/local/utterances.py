"""Which part of what a microphone sends is an utterance, for a recogniser that need not hear more.

Pure: frames in, the utterance's sound out, no clock but the count of samples. It opens on less
than a turn-taking detector would, because a recogniser can say that there was no word.
"""

from collections import deque

import numpy as np
from livekit import rtc
from livekit.agents import vad

from antiphon.nodes.local.sound import NONE, Mono, Samples
from antiphon.nodes.local.vad import Detector

RATE = 16_000
_PREROLL = 0.3  # seconds before the onset that belong to the utterance: a soft first consonant
_ONSET = 0.04


class Utterances:
    """One voice, cut into utterances; the sound of the open one waits here until it is taken.

    An utterance is over after `end_silence` seconds without sound or when it is `longest`
    seconds old, or whenever `cut` says so. Times are seconds since the first frame.
    """

    def __init__(self, *, end_silence: float, longest: float) -> None:
        # Mutable: the sound that waits, and where in the stream it is, in samples.
        self._detector = Detector(
            aggressiveness=1,
            min_speech_duration=_ONSET,
            min_silence_duration=end_silence,
            prefix_padding_duration=0.0,
        )
        self._mono = Mono(RATE, quality="HQ")
        self._longest = round(longest * RATE)
        self._sound: deque[Samples] = deque()
        self._waiting = 0
        self._at = 0
        self._began = 0
        self.open = False

    @property
    def began(self) -> float:
        """When the open utterance's sound began, its lead included."""
        return self._began / RATE

    @property
    def now(self) -> float:
        """How much has been heard."""
        return self._at / RATE

    @property
    def waiting(self) -> float:
        """How many seconds of the open utterance have not been taken."""
        return self._waiting / RATE if self.open else 0.0

    def push(self, frame: rtc.AudioFrame) -> bool:
        """Hear a frame, and say whether the open utterance is over with it."""
        self._add(self._mono.push(frame))
        edges = {event.type for event in self._detector.edges(frame)}
        if not self.open:
            self._trim()
            if vad.VADEventType.START_OF_SPEECH in edges:
                self.open = True
                self._began = self._at - self._waiting
            return False

        return vad.VADEventType.END_OF_SPEECH in edges or self._at - self._began >= self._longest

    def take(self) -> bytes:
        """Take the sound that waits, as 16-bit mono."""
        sound = np.concatenate([NONE, *self._sound])
        self._sound.clear()
        self._waiting = 0
        return sound.tobytes()

    def cut(self) -> bytes:
        """Close the utterance here and take the rest of it; what comes next is another's."""
        self._add(self._mono.rest())
        self._detector.reset()
        self.open = False
        return self.take()

    def _add(self, samples: Samples) -> None:
        self._sound.append(samples)
        self._waiting += len(samples)
        self._at += len(samples)

    def _trim(self) -> None:
        lead = (_PREROLL + _ONSET) * RATE
        while self._waiting - len(self._sound[0]) >= lead:
            self._waiting -= len(self._sound.popleft())
