"""Models that hear by loudness, for calls over a real server: the same for every runtime.

Speech is anything loud for a while; what is shorter than `WORDED` has no words in it. The voice is
a tone, so that it can be told from silence at a caller's ear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, stt, tts, vad

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE: Final = 24_000
LOUD: Final = 1500  # of a 16-bit sample
NOTICED: Final = 0.05  # seconds of sound before the detector says so
SILENT: Final = 0.2  # seconds of silence before the detector and the recogniser say so
WORDED: Final = 0.5  # seconds of sound that have words in them
LETTER: Final = 0.06  # seconds of sound for each letter of a reply


class Loudness:
    """How long it has been loud, or silent; short dips are part of speech."""

    def __init__(self) -> None:
        self.speech = 0.0
        self.silence = 0.0
        self.samples = 0

    def hear(self, frame: rtc.AudioFrame) -> None:
        """By pieces of 10 ms, so that a long frame is not all speech for its last sample."""
        self.samples += frame.samples_per_channel
        size = frame.sample_rate // 100
        sound = np.abs(np.asarray(frame.data))
        for at in range(0, len(sound), size):
            if sound[at : at + size].max() > LOUD:
                self.speech += 0.01 + (self.silence if self.speech else 0.0)
                self.silence = 0.0
            else:
                self.silence += 0.01


class LoudVAD(vad.VAD):
    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.02))

    def stream(self) -> vad.VADStream:
        return _VADStream(self)


class _VADStream(vad.VADStream):
    async def _main_task(self) -> None:
        heard, speaking = Loudness(), False
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            heard.hear(frame)
            if not speaking and heard.speech >= NOTICED and not heard.silence:
                speaking = True
                self._tell(vad.VADEventType.START_OF_SPEECH, heard, speaking)
            elif heard.silence >= SILENT:
                if speaking:
                    speaking = False
                    self._tell(vad.VADEventType.END_OF_SPEECH, heard, speaking)
                heard.speech = 0.0
            self._tell(vad.VADEventType.INFERENCE_DONE, heard, speaking)

    def _tell(self, kind: vad.VADEventType, heard: Loudness, speaking: bool) -> None:
        event = vad.VADEvent(
            type=kind,
            samples_index=heard.samples,
            timestamp=heard.samples / RATE,
            speech_duration=heard.speech,
            silence_duration=heard.silence,
            speaking=speaking,
            raw_accumulated_speech=0.0 if heard.silence else heard.speech,
            raw_accumulated_silence=heard.silence,
        )
        self._event_ch.send_nowait(event)


class LoudSTT(stt.STT[Any]):
    """The words, `SILENT` seconds after they have been said."""

    def __init__(self, words: str) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))
        self.words = words

    def stream(
        self, *, language: Any = None, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> stt.RecognizeStream:
        return _STTStream(stt=self, conn_options=conn_options)

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise AssertionError("only streamed")


class _STTStream(stt.RecognizeStream):
    async def _run(self) -> None:
        words: str = self._stt.words  # type: ignore[attr-defined]
        heard = Loudness()
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            heard.hear(frame)
            if heard.silence >= SILENT:
                if heard.speech >= WORDED:
                    said = stt.SpeechData(text=words, language="en")  # type: ignore[arg-type]
                    kind = stt.SpeechEventType.FINAL_TRANSCRIPT
                    self._event_ch.send_nowait(stt.SpeechEvent(kind, alternatives=[said]))
                heard.speech = 0.0


class ToneTTS(tts.TTS[Any]):
    """Takes whole texts; each is a tone as long as the text, made at once."""

    def __init__(self) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=RATE, num_channels=1
        )

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return _TTSStream(tts=self, input_text=text, conn_options=conn_options)


class _TTSStream(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="tone", sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
        )
        output_emitter.push(tone(lasts(self._input_text)).tobytes())


def lasts(text: str) -> float:
    """Seconds of the sound of a text."""
    return LETTER * len(text.replace(" ", ""))


def tone(seconds: float) -> NDArray[np.int16]:
    at = np.arange(round(seconds * RATE)) / RATE
    return (8000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)
