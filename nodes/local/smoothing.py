"""When a run of voiced windows is speech, and when a run of others is its end: pure."""

from dataclasses import dataclass
from enum import Enum
from math import ceil

# Mean squares of 16-bit samples. -67 dBFS: a microphone that is on is seldom quieter.
QUIETEST_ROOM = 225.0
# -44 dBFS: a first window louder than this may be speech already.
LOUDEST_FIRST = 40_000.0
# -58 dBFS: no speech that can be recognised is fainter.
FAINTEST_SPEECH = 1600.0

# An interval that is meant to be n windows long must not become n + 1 by rounding.
_ROUNDING = 1e-9


class Edge(Enum):
    """What a window changed."""

    START = "start"
    END = "end"


@dataclass(slots=True)
class Smoothing:
    """Turns voiced or unvoiced windows of `window` seconds into starts and ends of speech.

    Speech starts once `min_speech` seconds are voiced, with at most one unvoiced window among
    them, and ends after `min_silence` seconds without a voiced one. All times are seconds.
    """

    window: float
    min_speech: float
    min_silence: float
    speaking: bool = False
    # Counts of windows. An onset's span includes its one hole, its voiced count does not.
    _span: int = 0
    _voiced: int = 0
    _silent: int = 0
    _segment: int = 0

    @property
    def raw_speech(self) -> float:
        """How long the sound that goes on now has lasted; 0 when the last window had none."""
        return 0.0 if self._silent else self._span * self.window

    @property
    def raw_silence(self) -> float:
        """How long it has been quiet; 0 when the last window was voiced."""
        return self._silent * self.window

    @property
    def segment(self) -> float:
        """How long this state, speaking or silent, has lasted."""
        return self._segment * self.window

    def step(self, voiced: bool) -> Edge | None:
        """Count one window, and say whether speech started or ended with it."""
        self._segment += 1
        if voiced:
            return self._sound()
        return self._quiet()

    def reset(self) -> None:
        """Forget what was counted: the next window begins a segment."""
        self.speaking = False
        self._span = self._voiced = self._silent = self._segment = 0

    def _sound(self) -> Edge | None:
        self._span += 1
        self._voiced += 1
        self._silent = 0
        if self.speaking or self._voiced < self._windows(self.min_speech):
            return None

        self.speaking = True
        self._segment = self._span
        return Edge.START

    def _quiet(self) -> Edge | None:
        self._silent += 1
        if not self.speaking:
            self._span += 1
            if not self._voiced or self._span - self._voiced > 1:
                self._span = self._voiced = 0
            return None

        self._span = self._voiced = 0
        if self._silent < self._windows(self.min_silence):
            return None

        self.speaking = False
        self._segment = self._silent
        return Edge.END

    def _windows(self, seconds: float) -> int:
        return max(1, ceil(seconds / self.window - _ROUNDING))


@dataclass(slots=True)
class NoiseFloor:
    """The power that is always there, and whether a window stands out of it.

    Powers are mean squares of 16-bit samples. The first sound is taken for the room's, because
    webrtcvad takes any noise it has not heard before for voice. After that the floor falls
    within a pause between two words, follows what is not voice in half a second, and rises at
    1.5 dB/s under what sounds like voice, so that a hum taken for speech does not stay speech.
    """

    # 0 until there was a sound: samples that are all zero are no room's.
    power: float = 0.0

    def stands_out(self, power: float, *, speaking: bool) -> bool:
        """Whether this is louder than the floor: by 6 dB to start speech, by 3 dB to go on."""
        return power > self.power * (2.0 if speaking else 4.0)

    def follow(self, power: float, *, voiced: bool) -> None:
        """Learn from one window of 20 ms; call this before asking what stands out."""
        if power < 1.0:
            return

        if not self.power:
            self.power = max(QUIETEST_ROOM, min(LOUDEST_FIRST, power))
        elif power < self.power:
            self.power = max(QUIETEST_ROOM, self.power + 0.3 * (power - self.power))
        elif voiced:
            self.power *= 1.007
        else:
            self.power += 0.05 * (power - self.power)
