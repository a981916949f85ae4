"""The agent's voice in a room: sound waits here, and only a moment of it in the native source.

The native source sends 10 ms every 10 ms from a queue that nobody can look into. What lies there
is known all the same: it lets go of whoever gives it a frame when no more than `QUEUE` is left, and
from then on it takes `STEP` at a time. A step is counted as played when it surely has left, so what
a pause takes back may be up to one step too much, which is then heard twice; never too little.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from livekit import rtc

from antiphon.nodes.outputs import DEFAULT_RATE, Speaker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.room")

STEP: Final = 0.01  # seconds the native source sends at a time
FRAME: Final = 0.02  # seconds it is given at a time
QUEUE: Final = 0.04  # seconds that lie in it when it asks for more: this loop may be that late
HUSH: Final = 0.1  # seconds of silence behind the last sound

ALMOST: Final = 1e-6  # seconds or steps that are none: timers are not more exact


class Source(Protocol):
    """What this needs of `rtc.AudioSource`."""

    async def capture_frame(self, frame: rtc.AudioFrame) -> None: ...

    def clear_queue(self) -> None: ...


class RoomOutput(Speaker):
    """A track in a room. Nothing is sent before somebody has subscribed to it (`subscribed`).

    Silence follows the last sound, also of a cut: where packets just stop, the listener's end
    makes up more of the same sound.

    Mutable state: the sound that waits, what lies in the source and since when, the silence that
    is still to be given, or lies there, whether it is on hold, and whether the source fails.
    """

    def __init__(
        self,
        scope: Scope,
        *,
        rate: int = DEFAULT_RATE,
        channels: int = 1,
        source: Source | None = None,
    ) -> None:
        super().__init__(label="room", rate=rate)
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._publication: rtc.LocalTrackPublication | None = None
        self._native = source or rtc.AudioSource(rate, channels, queue_size_ms=round(QUEUE * 1000))
        self._channels = channels
        self._step = round(rate * STEP)
        self._frame = round(rate * FRAME)
        self._waiting: deque[memoryview] = deque()
        self._size = 0  # samples that wait
        self._written_at = 0.0
        self._lying = 0  # samples in the source at loop time `_since`
        self._since = 0.0
        self._hush = 0  # samples of silence still to be given
        self._hushed = False  # silence may lie in the source
        self._on_hold = False
        self._failing = False
        self._sleeper: asyncio.Future[None] | None = None
        scope.start("room output", self._feed())

    async def publish(
        self, participant: rtc.LocalParticipant, name: str, options: rtc.TrackPublishOptions
    ) -> None:
        """Put the track into the room; `listened` waits until somebody listens to it."""
        assert isinstance(self._native, rtc.AudioSource)
        track = rtc.LocalAudioTrack.create_audio_track(name, self._native)
        self._publication = await participant.publish_track(track, options)

    async def listened(self) -> None:
        """Wait until somebody listens, and begin to send."""
        if self._publication is not None:
            await self._publication.wait_for_subscription()
            self.open()

    @property
    def track_sid(self) -> str | None:
        """Of the track; another one after the room was joined anew."""
        return self._publication.sid if self._publication is not None else None

    def open(self) -> None:
        """Begin to send."""
        if not self.subscribed.done():
            self.subscribed.set_result(None)

    def hold(self, on: bool = True) -> None:
        """Send nothing for the moment: who listened has gone, and may be back."""
        self._on_hold = on
        self._wake()

    async def close(self) -> None:
        """Let go of the native source."""
        if isinstance(self._native, rtc.AudioSource):
            await self._native.aclose()

    def write(self, pcm: memoryview) -> None:
        if self._hushed:
            self._hushed = False
            self._native.clear_queue()
        if not self._size:
            self._written_at = asyncio.get_running_loop().time()
        self._waiting.append(pcm)
        self._size += len(pcm)
        self._hush = round(self.rate * HUSH)
        self._wake()

    def held(self) -> int:
        return self._size + self._lies()

    def drop(self) -> int:
        lies = self._lies()
        if lies:
            self._native.clear_queue()
        dropped, self._size, self._lying = self._size + lies, 0, 0
        self._waiting.clear()
        self._wake()
        return dropped

    def _lies(self) -> int:
        """Samples that may lie in the source: it takes a step at a time."""
        if not self._lying:
            return 0
        passed = asyncio.get_running_loop().time() - self._since
        return max(0, self._lying - int(passed / STEP + ALMOST) * self._step)

    # The task.

    async def _feed(self) -> None:
        await asyncio.wait([self.subscribed])
        while True:
            wait = self._wait()
            if wait is not None and wait <= ALMOST:
                await self._give()
            else:
                await self._rest(wait)

    def _wait(self) -> float | None:
        """Seconds until something is to be given; None until something is written."""
        if self._on_hold:
            return None
        now, lies = asyncio.get_running_loop().time(), self._lies()
        if self._size >= self._frame:
            return 0.0
        steps = -(-self._lying // self._step)
        runs_dry = self._since + steps * STEP - now if lies else 0.0
        if self._size:  # too few for a frame, and more may be on its way
            return runs_dry - STEP if lies else self._written_at + FRAME - now
        return runs_dry if self._hush else None

    async def _give(self) -> None:
        loop = asyncio.get_running_loop()
        samples = min(self._size, self._frame)
        sound = self._take(samples) if samples else self._silence()
        if lies := self._lies():
            self._lying += samples
        else:
            self._lying, self._since = samples, loop.time()
        data = np.repeat(sound, self._channels).tobytes()
        try:
            await self._native.capture_frame(
                rtc.AudioFrame(data, self.rate, self._channels, len(sound))
            )
        except Exception as error:
            level = logging.DEBUG if self._failing else logging.WARNING  # told once
            logger.log(level, "sound does not reach the room: %s", error)
            self._failing = True
            await asyncio.sleep(FRAME)  # what is not sent takes its time all the same
        else:
            self._failing = False
        queue = round(self.rate * QUEUE)
        if self._lying and lies + samples > queue:
            self._lying, self._since = queue, loop.time()

    def _take(self, samples: int) -> NDArray[np.int16]:
        """The next samples, filled up with silence to a whole step."""
        steps = -(-samples // self._step)
        sound = np.zeros(steps * self._step, np.int16)
        at = 0
        while at < samples:
            pcm = self._waiting.popleft()
            if len(pcm) > samples - at:
                self._waiting.appendleft(pcm[samples - at :])
                pcm = pcm[: samples - at]
            sound[at : at + len(pcm)] = pcm
            at += len(pcm)
        self._size -= samples
        return sound

    def _silence(self) -> NDArray[np.int16]:
        self._hush = max(0, self._hush - self._frame)
        self._hushed = True
        return np.zeros(self._frame, np.int16)

    async def _rest(self, seconds: float | None) -> None:
        """Wait until something is written or dropped, for `seconds` at most."""
        loop = asyncio.get_running_loop()
        self._sleeper = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, self._wake)
        try:
            await self._sleeper
        finally:
            self._sleeper = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)
