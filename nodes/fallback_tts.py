"""Several voices as one: where one dies in the middle of a sentence, the next one says the rest.

LiveKit's adapter leaves the rest of such a sentence unsaid, since it does not know how much of it
was. Here what was said is known by the times that the voice gives its words, else by its pace.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import APIConnectionError, APIError, APITimeoutError, tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

from antiphon.nodes.retried import Unrepeated, end_of, timed
from antiphon.pipeline.pace import Pace, unit_ends
from antiphon.pipeline.streams import Scope, Silent
from antiphon.pipeline.words import speakable, words

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit import rtc
    from livekit.agents import APIConnectOptions

logger = logging.getLogger("antiphon.tts")

AWAY: Final = 30.0  # seconds in which a voice that failed is not asked; each time twice as long
LONGEST: Final = 600.0
AHEAD: Final = 10.0  # seconds of a voice's sound that may wait
SAME: Final = 1e-3  # seconds by which a word may end after the sound it lies in


@dataclass(slots=True)
class _Voice:
    """One of them. Mutable state: how fast it speaks, and how long it is left alone."""

    engine: tts.TTS[Any]
    pace: Pace
    pause: float = AWAY
    until: float = 0.0  # loop time
    there: bool = True


class FallbackAdapter(tts.FallbackAdapter):
    """LiveKit's, and a session speaks a sentence in which a voice dies to its end with the next
    voice. A voice that gives nothing for `attempt_timeout` seconds has died."""

    def __init__(
        self,
        tts: list[tts.TTS[Any]],
        *,
        max_retry_per_tts: int = 2,
        sample_rate: int | None = None,
        attempt_timeout: float = 5.0,
    ) -> None:
        super().__init__(tts, max_retry_per_tts=max_retry_per_tts, sample_rate=sample_rate)
        self._voices = [_Voice(engine, Pace()) for engine in tts]
        self._retries = max_retry_per_tts
        self._patience = attempt_timeout

    async def speak(
        self, text: str, conn_options: APIConnectOptions
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """All of `text`, by the first voice that can, and what it leaves by the next ones."""
        options = replace(conn_options, max_retry=self._retries)
        before = 0.0  # seconds that were made by voices that died
        last: Exception | None = None
        for voice in self._in_order():
            said = _Said(text, before)
            try:
                async with aclosing(self._said_by(voice, text, options)) as frames:
                    async for frame in frames:
                        yield said.note(frame)
            except APIError as error:
                last = error
                self._died(voice, error)
                text, before = said.rest(voice.pace), before + said.seconds
                if not speakable(text):
                    return
            else:
                voice.pace.learn(text, said.seconds)
                self._serves(voice)
                return
        raise APIConnectionError(f"none of the {len(self._voices)} voices speaks") from last

    async def _said_by(
        self, voice: _Voice, text: str, options: APIConnectOptions
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async with Scope("voice") as scope:
            ahead = int(AHEAD * voice.engine.sample_rate)
            sound = scope.pipe("request", request(voice.engine, text, options), ahead, samples)
            while True:
                try:
                    frame = await sound.next(self._patience)
                except StopAsyncIteration:
                    return
                except Silent:
                    why = f"{voice.engine.label} gave nothing for {self._patience:g} s"
                    raise APITimeoutError(why) from None
                yield frame

    def _in_order(self) -> list[_Voice]:
        """Those that may be asked now; all, where there are none."""
        now = asyncio.get_running_loop().time()
        return [voice for voice in self._voices if voice.until <= now] or self._voices

    def _died(self, voice: _Voice, error: Exception) -> None:
        logger.warning("%s failed: %s; the next voice speaks", voice.engine.label, error)
        voice.until = asyncio.get_running_loop().time() + voice.pause
        voice.pause = min(2 * voice.pause, LONGEST)
        self._tell(voice, there=False)

    def _serves(self, voice: _Voice) -> None:
        voice.pause, voice.until = AWAY, 0.0
        self._tell(voice, there=True)

    def _tell(self, voice: _Voice, *, there: bool) -> None:
        if voice.there is not there:
            voice.there = there
            event = tts.AvailabilityChangedEvent(tts=voice.engine, available=there)
            self.emit("tts_availability_changed", event)


class _Said:
    """How much of a text one voice has said. Mutable state: its seconds, and its timed words."""

    def __init__(self, text: str, before: float) -> None:
        self.seconds = 0.0
        self._text = text
        self._before = before  # what other voices made of the same chunk
        self._words: list[tuple[str, float]] = []

    def note(self, frame: rtc.AudioFrame) -> rtc.AudioFrame:
        """A frame on its way; its words get the times they have in the chunk."""
        self.seconds += frame.duration
        its = timed(frame)
        self._words += [(str(word), end) for word in its if (end := end_of(word)) is not None]
        if its and self._before:
            frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [_later(w, self._before) for w in its]
        return frame

    def rest(self, pace: Pace) -> str:
        """What has still to be said: from the first word that was not said to its end."""
        return self._text[self._end(pace) :].lstrip()

    def _end(self, pace: Pace) -> int:
        at = 0
        if self._words:
            for word, end in self._words:
                found = self._text.find(word.strip(), at)
                if end > self.seconds + SAME or found < 0:
                    break
                at = found + len(word.strip())
            return at
        spans = words(self._text)
        for (_, stop), units in zip(spans, unit_ends(self._text, spans), strict=True):
            if units * pace.seconds_per_unit > self.seconds:
                break
            at = stop
        return at


def _later(word: TimedString, seconds: float) -> TimedString:
    def moved(moment: Any) -> Any:
        return moment + seconds if isinstance(moment, float | int) else moment

    return TimedString(str(word), start_time=moved(word.start_time), end_time=moved(word.end_time))


async def request(
    engine: tts.TTS[Any], text: str, options: APIConnectOptions
) -> AsyncGenerator[rtc.AudioFrame, None]:
    """One text, by a request, or by a stream of its own where the voice streams."""
    new = Unrepeated()
    async with _asked(engine, text, options) as stream:
        async for audio in stream:
            if (frame := new.frame(audio)) is not None:
                yield frame


def _asked(
    engine: tts.TTS[Any], text: str, options: APIConnectOptions
) -> tts.ChunkedStream | tts.SynthesizeStream:
    if not engine.capabilities.streaming:
        return engine.synthesize(text, conn_options=options)
    stream = engine.stream(conn_options=options)
    stream.push_text(text)
    stream.end_input()
    return stream


def samples(frame: rtc.AudioFrame) -> int:
    """How many it has, for a pipe that holds so many."""
    return frame.samples_per_channel


def own(engine: tts.TTS[Any]) -> FallbackAdapter | None:
    """The engine, where it is one of these; LiveKit's own is told of."""
    if isinstance(engine, FallbackAdapter):
        return engine
    if isinstance(engine, tts.FallbackAdapter):
        _tell_of_theirs()
    return None


@cache
def _tell_of_theirs() -> None:
    logger.warning(
        "livekit.agents.tts.FallbackAdapter leaves out the rest of a sentence in which a voice "
        "dies; antiphon.tts.FallbackAdapter has it spoken by the next one"
    )
