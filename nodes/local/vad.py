"""Hears where speech starts and ends with webrtcvad: no task, no thread, 10 µs a window.

`Detector` is the whole of it and can be pushed inline; `WebRTCVAD` is the same behind LiveKit's
interface. A window is 20 ms; every time given in an event is audio time in seconds.
"""

from collections import deque
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from livekit import rtc
from livekit.agents import vad

from antiphon.nodes.bring import by_pip
from antiphon.nodes.local.smoothing import FAINTEST_SPEECH, Edge, NoiseFloor, Smoothing
from antiphon.nodes.local.sound import NONE, Mono, Samples
from antiphon.pipeline.errors import NodeUnavailable, UsageError

QUALITY = (
    "webrtcvad: finds clear speech about 60 ms after it starts; "
    "in a room where others talk it hears them too"
)

RATE = 16_000
WINDOW = 320  # samples: 20 ms
_SECONDS = WINDOW / RATE
_KINDS = {
    Edge.START: vad.VADEventType.START_OF_SPEECH,
    Edge.END: vad.VADEventType.END_OF_SPEECH,
}


def available() -> None:
    """Raise NodeUnavailable, saying what to install, when webrtcvad is missing."""
    if find_spec("webrtcvad") is None:
        raise NodeUnavailable(f"webrtcvad is missing: {by_pip('webrtcvad-wheels')}")


class Detector:
    """Frames in, events out, at once; one for each voice that is listened to.

    `aggressiveness` is webrtcvad's, 0 to 3; 3 takes the least noise for speech. Frames may have
    any rate and length. Event frames are the frames that were pushed, not copies: a start carries
    `prefix_padding_duration` before the onset, an end all of the speech (its last minute), and
    each INFERENCE_DONE the frames that came since the one before.
    """

    MAX_SPEECH = 60.0  # seconds of speech kept for its end event

    def __init__(
        self,
        *,
        aggressiveness: int = 3,
        min_speech_duration: float = 0.06,
        min_silence_duration: float = 0.2,
        prefix_padding_duration: float = 0.5,
    ) -> None:
        available()
        import webrtcvad

        # Mutable: everything here; `_at` counts samples since the first frame.
        self._vad = webrtcvad.Vad(aggressiveness)
        self._mono = Mono(RATE)
        self._floor = NoiseFloor()
        self._smoothing = Smoothing(_SECONDS, min_speech_duration, min_silence_duration)
        self._prefix = prefix_padding_duration + min_speech_duration + _SECONDS
        self._left = NONE
        self._at = 0
        self._fresh: list[rtc.AudioFrame] = []
        self._kept: deque[rtc.AudioFrame] = deque()
        self._kept_samples = 0

    @property
    def speaking(self) -> bool:
        """Whether the last window belongs to speech, hang-over included."""
        return self._smoothing.speaking

    def push(self, frame: rtc.AudioFrame) -> list[vad.VADEvent]:
        """Hear one frame; each window it completes gives INFERENCE_DONE, then its edge."""
        self._keep(frame)
        events: list[vad.VADEvent] = []
        smoothing = self._smoothing
        for window in self._windows(frame):
            # The state before the edge, as LiveKit has it: the edge has its own event.
            speaking, lasted = smoothing.speaking, smoothing.segment + _SECONDS
            speech, edge = self._hear(window)
            events.append(self._done(speech, speaking, lasted))
            if edge is not None:
                events.append(self._edge(edge, lasted, list(self._kept)))
        return events

    def edges(self, frame: rtc.AudioFrame) -> list[vad.VADEvent]:
        """Hear one frame; its starts and ends of speech alone, at a third of the cost.

        They carry no frames: a detector is either pushed or asked for this.
        """
        events: list[vad.VADEvent] = []
        for window in self._windows(frame):
            lasted = self._smoothing.segment + _SECONDS
            _, edge = self._hear(window)
            if edge is not None:
                events.append(self._edge(edge, lasted, []))
        return events

    def reset(self) -> None:
        """Begin a new segment: no speech so far, and nothing kept of it; time goes on."""
        self._smoothing.reset()
        self._fresh = []
        self._kept.clear()
        self._kept_samples = 0

    def _windows(self, frame: rtc.AudioFrame) -> Sequence[Samples]:
        """The windows that this frame completes."""
        samples = self._mono.push(frame)
        if self._left.size:
            samples = np.concatenate([self._left, samples])
        elif samples.size == WINDOW:
            return (samples,)
        whole = samples.size - samples.size % WINDOW
        self._left = samples[whole:]
        return samples[:whole].reshape(-1, WINDOW)  # type: ignore[return-value]

    def _hear(self, window: Samples) -> tuple[bool, Edge | None]:
        self._at += WINDOW
        speech = self._is_speech(window)
        return speech, self._smoothing.step(speech)

    def _is_speech(self, window: Samples) -> bool:
        loud = window.astype(np.float32)
        offset = float(loud.sum()) / WINDOW  # of a cheap microphone: it is not loud
        power = float(loud.dot(loud)) / WINDOW - offset * offset
        voiced = power > FAINTEST_SPEECH and bool(self._vad.is_speech(window.tobytes(), RATE))
        self._floor.follow(power, voiced=voiced)
        return voiced and self._floor.stands_out(power, speaking=self._smoothing.speaking)

    def _done(self, speech: bool, speaking: bool, lasted: float) -> vad.VADEvent:
        fresh, self._fresh = self._fresh, []
        return vad.VADEvent(
            type=vad.VADEventType.INFERENCE_DONE,
            samples_index=self._at,
            timestamp=self._at / RATE,
            speech_duration=lasted if speaking else 0.0,
            silence_duration=0.0 if speaking else lasted,
            frames=fresh,
            probability=1.0 if speech else 0.0,
            speaking=speaking,
            raw_accumulated_silence=self._smoothing.raw_silence,
            raw_accumulated_speech=self._smoothing.raw_speech,
        )

    def _edge(self, edge: Edge, lasted: float, frames: list[rtc.AudioFrame]) -> vad.VADEvent:
        """`lasted`: how long the state before this window had lasted, this window included."""
        now = self._smoothing.segment
        starts = edge is Edge.START
        return vad.VADEvent(
            type=_KINDS[edge],
            samples_index=self._at,
            timestamp=self._at / RATE,
            speech_duration=now if starts else max(0.0, lasted - now),
            silence_duration=0.0 if starts else now,
            frames=frames,
            speaking=self._smoothing.speaking,
        )

    def _keep(self, frame: rtc.AudioFrame) -> None:
        self._fresh.append(frame)
        self._kept.append(frame)
        self._kept_samples += frame.samples_per_channel
        seconds = self.MAX_SPEECH if self._smoothing.speaking else self._prefix
        limit = seconds * frame.sample_rate
        while self._kept_samples - self._kept[0].samples_per_channel >= limit:
            self._kept_samples -= self._kept.popleft().samples_per_channel


class WebRTCVAD(vad.VAD):
    """The local voice activity detector, behind LiveKit's interface.

    Durations are seconds and mean what they mean in LiveKit's own detector: speech starts after
    `min_speech_duration` of voice and ends after `min_silence_duration` without.
    """

    def __init__(
        self,
        *,
        aggressiveness: int = 3,
        min_speech_duration: float = 0.06,
        min_silence_duration: float = 0.2,
        prefix_padding_duration: float = 0.5,
    ) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=_SECONDS))
        if aggressiveness not in range(4):
            raise UsageError(f"aggressiveness is 0, 1, 2 or 3, not {aggressiveness!r}")
        available()
        self._aggressiveness = aggressiveness
        self._min_speech = min_speech_duration
        self._min_silence = min_silence_duration
        self._prefix = prefix_padding_duration

    @property
    def model(self) -> str:
        return "webrtcvad"

    @property
    def provider(self) -> str:
        return "local"

    @property
    def min_silence_duration(self) -> float:
        """Seconds without voice that end speech."""
        return self._min_silence

    def detector(self) -> Detector:
        """Give a detector with these options, to be pushed without any task."""
        return Detector(
            aggressiveness=self._aggressiveness,
            min_speech_duration=self._min_speech,
            min_silence_duration=self._min_silence,
            prefix_padding_duration=self._prefix,
        )

    def stream(self) -> vad.VADStream:
        return _Stream(self, self.detector())


class _Stream(vad.VADStream):
    def __init__(self, parent: WebRTCVAD, detector: Detector) -> None:
        super().__init__(parent)
        self._detector = detector

    async def _main_task(self) -> None:
        async for item in self._input_ch:
            if not isinstance(item, rtc.AudioFrame):
                self._detector.reset()
                continue

            for event in self._detector.push(item):
                self._event_ch.send_nowait(event)
