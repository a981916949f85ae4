"""What a participant said before the room was joined: clients record it and send it afterwards."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from livekit import rtc
from livekit.agents.utils.audio import AudioByteStream
from livekit.agents.utils.codecs import AudioStreamDecoder

if TYPE_CHECKING:
    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.room")

TOPIC: Final = "lk.agent.pre-connect-audio-buffer"


class EarlyAudio:
    """Receives such recordings, one for each track, in the room's byte streams.

    Mutable state: the recordings that have come, or are waited for, by the track they belong to.
    """

    def __init__(self, room: rtc.Room, scope: Scope, timeout: float) -> None:
        self._room = room
        self._scope = scope
        self._timeout = timeout
        self._recordings: dict[str, asyncio.Future[list[rtc.AudioFrame]]] = {}
        self._receives = True
        try:
            room.register_byte_stream_handler(TOPIC, self._offered)
        except ValueError:
            logger.debug("somebody else in this program receives %s", TOPIC)
            self._receives = False

    def close(self) -> None:
        if self._receives:
            self._room.unregister_byte_stream_handler(TOPIC)

    async def of(self, track_sid: str, rate: int) -> list[rtc.AudioFrame]:
        """The recording that belongs to the track, at `rate`; empty when none comes in time."""
        if not self._receives:
            return []
        recording = self._recording(track_sid)
        done, _ = await asyncio.wait([recording], timeout=self._timeout)
        frames: list[rtc.AudioFrame] = recording.result() if done else []
        if not done:
            logger.warning("no audio from before the call came within %g s", self._timeout)
            recording.set_result([])
        self._recordings[track_sid] = asyncio.get_running_loop().create_future()
        self._recordings[track_sid].set_result([])  # a track that is read again has had it
        return _resampled(frames, rate)

    def _recording(self, track_sid: str) -> asyncio.Future[list[rtc.AudioFrame]]:
        if track_sid not in self._recordings:
            self._recordings[track_sid] = asyncio.get_running_loop().create_future()
        return self._recordings[track_sid]

    def _offered(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        if not self._scope.closing:
            self._scope.start("early audio", self._receive(reader))

    async def _receive(self, reader: rtc.ByteStreamReader) -> None:
        attributes = reader.info.attributes or {}
        try:
            recording = self._recording(attributes["trackId"])
            rate, channels = int(attributes["sampleRate"]), int(attributes["channels"])
            frames = await _decoded(reader, rate, channels)
        except Exception as error:
            logger.warning("audio from before the call cannot be read: %r", error)
            return
        if not recording.done():
            recording.set_result(frames)


async def _decoded(reader: rtc.ByteStreamReader, rate: int, channels: int) -> list[rtc.AudioFrame]:
    kind = reader.info.mime_type or ""
    if kind == "audio/opus" or "codecs=opus" in kind:
        decoder = AudioStreamDecoder(sample_rate=rate, num_channels=channels)
        async for chunk in reader:
            decoder.push(chunk)
        decoder.end_input()
        return [frame async for frame in decoder]
    plain = AudioByteStream(rate, channels)
    frames: list[rtc.AudioFrame] = []
    async for chunk in reader:
        frames += plain.push(chunk)
    return frames + plain.flush()


def _resampled(frames: list[rtc.AudioFrame], rate: int) -> list[rtc.AudioFrame]:
    if not frames or frames[0].sample_rate == rate:
        return frames
    first = frames[0]
    resampler = rtc.AudioResampler(first.sample_rate, rate, num_channels=first.num_channels)
    return [each for frame in frames for each in resampler.push(frame)] + resampler.flush()
