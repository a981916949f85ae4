"""A turn detector that listens: from the sound so far, has the user finished?

It hears every frame. It is asked when the voice has been silent for `SILENCE` seconds, and the
turn does not end before it has answered, or its `prediction_timeout` is over. One that fails is
reported, and opened again when the user speaks next; until then the delays alone decide.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from antiphon.pipeline import observations as o

if TYPE_CHECKING:
    from livekit import rtc

    from antiphon.conversation import Conversation
    from antiphon.options import AudioDetector
    from antiphon.pipeline.streams import Scope

PATIENCE: Final = 1.0  # seconds for an answer, where the detector does not say how many
SILENCE: Final = 0.2  # seconds without a voice before it is asked
LAST: Final = 1.0  # seconds that it may take to close
UNKNOWN: Final = o.Score(0.0, 1.0)  # no answer yet: the turn goes on
DECIDED: Final = o.Score(1.0, 0.0)  # no answer will come: the shorter delay holds


class BySound:
    """Mutable state: the detector and its open stream, the question that is being asked, whether
    its failure was told in this turn, the language, and whether there were words."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._scope = scope
        self._detector: AudioDetector | None = None
        self._stream: Any = None
        self._asking: asyncio.Task[None] | None = None
        self._failed = False
        self._language: str | None = None
        self._words = False

    def use(self, detector: AudioDetector | None) -> None:
        """Listen with this one from now on, or with none."""
        if detector is not self._detector:
            self._leave()
            self._detector, self._failed = detector, False
            self._open()

    def hear(self, frame: rtc.AudioFrame) -> None:
        """One frame of the user's audio."""
        if self._stream is not None:
            self._call("push_audio", frame)

    def note(self, seen: o.Observation) -> None:
        """Ask, or do not ask any more."""
        words, self._words = self._words, bool(self._conversation.machine.text)
        if words and not self._words:
            self._call("flush", reason="turn committed")
        match seen:
            case o.VoiceStarted():
                self._stop()
                self._failed = False
                self._open()
            case o.VoiceStopped():
                self._stop()
                if self._stream is not None:
                    self._conversation.observe(UNKNOWN)
                    asking = self._ask(self._stream, seen.at + SILENCE)
                    self._asking = self._scope.start("end of turn", asking)
            case o.Transcript():
                self._language = seen.language or self._language

    async def close(self) -> None:
        """The session ends."""
        self._stop()
        if (closing := self._leave()) is not None:
            await asyncio.wait([closing], timeout=LAST)

    def _open(self) -> None:
        if self._detector is None or self._stream is not None or self._failed:
            return
        try:
            self._stream = self._detector.stream()
        except Exception as error:
            self._broken(error)

    def _leave(self) -> asyncio.Task[None] | None:
        """Close the stream, in a task of its own."""
        stream, self._stream = self._stream, None
        if stream is None or self._scope.closing:
            return None
        return self._scope.start("closing of the turn detector", _closed(stream))

    def _stop(self) -> None:
        """The question is not asked any more."""
        if self._asking is not None:
            asking, self._asking = self._asking, None
            if not asking.done():
                asking.cancel()
                self._call("cancel_inference")

    def _call(self, name: str, *args: object, **options: object) -> None:
        if self._stream is not None:
            try:
                getattr(self._stream, name)(*args, **options)
            except Exception as error:
                self._broken(error)

    def _broken(self, error: Exception) -> None:
        """It is of no use until the next turn."""
        self._leave()
        if not self._failed:
            self._failed = True
            self._conversation.faults.failed("turn_detection", error)

    async def _ask(self, stream: Any, at: float) -> None:
        """Ask at that loop time, and let the machine know; in a task that may be cancelled."""
        await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))
        score = DECIDED
        try:
            answer = stream.predict()
            patience = getattr(stream, "prediction_timeout", PATIENCE)
            done, _ = await asyncio.wait([answer], timeout=patience)
            if not done:
                self._call("cancel_inference", timed_out=True)
            elif not answer.cancelled() and await stream.supports_language(self._language):
                likely = await stream.unlikely_threshold(self._language)
                probability = answer.result().end_of_turn_probability
                score = o.Score(probability, 0.5 if likely is None else likely)
        except Exception as error:
            self._broken(error)
        self._conversation.observe(score)


async def _closed(stream: Any) -> None:
    await stream.aclose()
