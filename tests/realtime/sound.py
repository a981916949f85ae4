"""Words as sound that can be counted and read again, on both sides of a realtime model.

The caller's words are stretches of one value each, `STEP` apart, so that a server reads them even
after they were resampled; the model's are stretches of one value each, word after word, so that
every sample at the output says to which word it belongs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, tts

from antiphon.simulate import Voice

if TYPE_CHECKING:
    from collections.abc import Iterator

Samples = np.ndarray[Any, np.dtype[np.int16]]

OUT_RATE: Final = 24_000  # of both providers' models
STEP: Final = 20  # between the values of two of the caller's words
LOUD: Final = STEP // 2  # what is less is silence
WORD: Final = 0.3  # seconds of each of the caller's words
SURE: Final = 0.1  # seconds of one value that make a word


class Lines(tts.TTS[Any]):
    """The caller's voice. `said[n - 1]` is the word of value n * STEP."""

    RATE: Final = 16_000

    def __init__(self) -> None:
        capabilities = tts.TTSCapabilities(streaming=False)
        super().__init__(capabilities=capabilities, sample_rate=self.RATE, num_channels=1)
        self.said: list[str] = []

    def sound(self, text: str) -> Samples:
        words = text.split()
        first = len(self.said) + 1
        self.said += words
        values = np.arange(first, first + len(words)) * STEP
        return np.repeat(values, round(WORD * self.RATE)).astype(np.int16)

    def read(self, sound: Samples, rate: int) -> str:
        """The words in a sound that came from this voice, at any rate."""
        numbers = np.round(sound / STEP).astype(int)
        edges = np.flatnonzero(np.diff(numbers)) + 1
        found: list[str] = []
        last = 0
        for run in np.split(numbers, edges):
            number = int(run[0]) if len(run) else 0
            if len(run) >= SURE * rate and 0 < number <= len(self.said) and number != last:
                found.append(self.said[number - 1])
                last = number
        return " ".join(found)

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return _Saying(tts=self, input_text=text, conn_options=conn_options)


class _Saying(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        lines: Lines = self._tts  # type: ignore[assignment]
        output_emitter.initialize(
            request_id="lines", sample_rate=lines.RATE, num_channels=1, mime_type="audio/pcm"
        )
        output_emitter.push(lines.sound(self.input_text).tobytes())


class Numbered(Voice):
    """The model's voice: every sample of its n-th word has the value n."""

    def length(self, text: str, start: float) -> list[int]:
        return [round(self.letter * OUT_RATE * len(spoken)) for spoken in text.split()]

    def answer(self, words: Iterator[str]) -> Iterator[tuple[str, Samples]]:
        """The words of one answer with their sounds, as they are asked for."""
        self.starts.add(len(self.made) + 1)
        for spoken in words:
            (length,) = self.length(spoken, 0.0)
            self.made.append(spoken)
            self.lengths.append(length)
            yield spoken, np.full(length, len(self.made), np.int16)


class Detector:
    """A server's voice detection, by the samples it gets. Mutable state: all of it."""

    def __init__(self, rate: int, silence: float) -> None:
        self.rate = rate
        self.silence = silence  # seconds that end a voice
        self.heard = 0  # samples
        self.speaking = False
        self._last = 0  # the last loud sample
        self._began = 0

    def hear(self, sound: Samples) -> Iterator[tuple[str, float]]:
        """Where a voice began and ended, as ("began" | "ended", seconds)."""
        loud = np.flatnonzero(np.abs(sound) >= LOUD)
        if len(loud):
            if not self.speaking:
                self.speaking, self._began = True, self.heard + int(loud[0])
                yield "began", self._began / self.rate
            self._last = self.heard + int(loud[-1])
        self.heard += len(sound)
        if self.speaking and self.heard - self._last >= self.silence * self.rate:
            self.speaking = False
            yield "ended", self._last / self.rate
