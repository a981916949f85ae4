"""The detector of speech while the session runs: frames in, edges of speech out.

One that dies takes nothing else with it: it is reported once, and started again until it lives.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from livekit.agents import vad

from antiphon.pipeline.errors import NodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from livekit import rtc

    from antiphon.faults import Faults
    from antiphon.pipeline.streams import Scope

RETRY: Final = 0.5  # seconds before what failed is started again


@runtime_checkable
class Inline(Protocol):
    """A VAD whose detector is a plain object: frames in, events out, at once."""

    def detector(self) -> Detector: ...


class Detector(Protocol):
    def edges(self, frame: rtc.AudioFrame) -> Sequence[vad.VADEvent]:
        """Hear one frame; the starts and ends of speech that it brings, and nothing else."""


def silence(event: vad.VADEvent) -> float:
    """Seconds since the last voice; a detector that goes by windows tells it in one of two ways."""
    return max(event.silence_duration, event.raw_accumulated_silence)


class Detecting:
    """Mutable state: the VAD, what takes the frames while it lives, its reader, its next start,
    whether its failure was told already, and the speech it is in."""

    def __init__(
        self, scope: Scope, faults: Callable[[], Faults], on_edge: Callable[[vad.VADEvent], None]
    ) -> None:
        self.vad: vad.VAD | None = None
        self._scope = scope
        self._faults = faults
        self._on_edge = on_edge
        self._take: Callable[[rtc.AudioFrame], Sequence[vad.VADEvent] | None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._again: asyncio.TimerHandle | None = None
        self._told = False
        self._speech: vad.VADEvent | None = None  # the edge that began the speech it is in
        self._faded = False  # the voice of it is not heard just now

    @property
    def alive(self) -> bool:
        """Somebody tells when speech starts and ends."""
        return self._take is not None

    def open(self, voice: vad.VAD | None) -> None:
        """Listen with `voice` from now on, and with nothing else."""
        self._stop()
        self.vad = voice
        self._told = False
        self._end()
        self._start()

    def hear(self, frame: rtc.AudioFrame) -> None:
        if self._take is None:
            return
        try:
            events = self._take(frame)
        except Exception as error:
            self._died(error)
            return
        for event in events or ():
            self._edge(event)

    def forget(self) -> None:
        """No sound comes any more: the speech it was in is none to whatever comes later."""
        if self._speech is not None:
            self.open(self.vad)

    def _start(self) -> None:
        voice = self.vad
        if voice is None or self._scope.closing:
            return
        try:
            if isinstance(voice, Inline):
                self._take = voice.detector().edges
            else:
                self._reading = self._scope.start("vad", self._read(voice))
        except Exception as error:
            self._died(error)

    def _stop(self) -> None:
        self._take = None
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._reading is not None and self._reading is not asyncio.current_task():
            self._reading.cancel()
        self._reading = None

    async def _read(self, voice: vad.VAD) -> None:
        """Opens the stream too: a task that is cancelled before its first step closes nothing."""
        error: Exception = NodeError("the detector of speech has ended")
        here = asyncio.current_task()
        try:
            stream = voice.stream()
            try:
                if self._reading is here:
                    self._take = stream.push_frame
                async for event in stream:
                    if self._reading is here:
                        self._edge(event)
            finally:
                await stream.aclose()
        except Exception as raised:
            error = raised
        if self._reading is here:
            self._died(error)

    def _edge(self, event: vad.VADEvent) -> None:
        self._told = False  # it works, so another failure is news
        if event.type is not vad.VADEventType.INFERENCE_DONE:
            self._speech = event if event.type is vad.VADEventType.START_OF_SPEECH else None
            self._faded = False
        elif self._speech is None or self._faded is (silence(event) > 0.0):
            return  # no news
        else:
            self._faded = not self._faded
        self._on_edge(event)

    def _died(self, error: Exception) -> None:
        self._stop()
        if not self._told:
            self._told = True
            self._faults().failed("vad", error)
        self._end()
        self._again = asyncio.get_running_loop().call_later(RETRY, self._start)

    def _end(self) -> None:
        """Nobody is left to say that the speech it was in has ended, so it has."""
        if self._speech is not None:
            self._speech = None
            self._on_edge(
                vad.VADEvent(
                    type=vad.VADEventType.END_OF_SPEECH,
                    samples_index=0,
                    timestamp=0.0,
                    speech_duration=0.0,
                    silence_duration=0.0,
                )
            )
