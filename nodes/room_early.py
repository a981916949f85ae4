"""What a participant said before the room was joined: clients record it and send it afterwards."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from typing import TYPE_CHECKING, Final

import numpy as np
from livekit import rtc
from livekit.agents.utils.audio import AudioByteStream
from livekit.agents.utils.codecs import AudioStreamDecoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from livekit.agents.voice.room_io import AudioInputOptions

    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.room")

TOPIC: Final = "lk.agent.pre-connect-audio-buffer"
LONGEST: Final = 60.0  # seconds: a client records while it connects; what is longer is cut
RATES: Final = range(8_000, 192_001)  # the caller says it: one below zero would never end
CHANNELS: Final = range(1, 9)
LARGEST: Final = round(LONGEST * 48_000 * 2)  # bytes of that


class EarlyAudio:
    """Receives such recordings, one for each track, in the room's byte streams.

    Mutable state: the recordings that have come, or are waited for, by who spoke and by track.
    """

    def __init__(self, room: rtc.Room, scope: Scope, options: AudioInputOptions) -> None:
        self._room = room
        self._scope = scope
        self._options = options
        self._recordings: dict[tuple[str, str], asyncio.Future[list[rtc.AudioFrame]]] = {}
        self._receives = True
        try:
            room.register_byte_stream_handler(TOPIC, self._offered)
        except ValueError:
            logger.debug("somebody else in this program receives %s", TOPIC)
            self._receives = False

    def close(self) -> None:
        if self._receives:
            self._room.unregister_byte_stream_handler(TOPIC)

    async def of(self, identity: str, track_sid: str) -> list[rtc.AudioFrame]:
        """The recording that belongs to that one's track; empty when none comes in time."""
        if not self._receives:
            return []
        recording = self._recording(identity, track_sid)
        patience = self._options.pre_connect_audio_timeout
        done, _ = await asyncio.wait([recording], timeout=patience)
        frames: list[rtc.AudioFrame] = recording.result() if done else []
        if not done:
            logger.warning("no audio from before the call came within %g s", patience)
            recording.set_result([])
        nothing = self._recordings[identity, track_sid] = asyncio.get_running_loop().create_future()
        nothing.set_result([])  # a track that is read again has had it
        return frames

    def _recording(self, identity: str, track_sid: str) -> asyncio.Future[list[rtc.AudioFrame]]:
        which = (identity, track_sid)
        if which not in self._recordings:
            self._recordings[which] = asyncio.get_running_loop().create_future()
        return self._recordings[which]

    def _offered(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        if self._scope.closing:
            reader.close()  # else the program hears of it for as long as it runs
        else:
            self._scope.start("early audio", self._receive(reader, identity))

    async def _receive(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        attributes = reader.info.attributes or {}
        try:
            with closing(reader):
                recording = self._recording(identity, attributes["trackId"])
                rate, channels = int(attributes["sampleRate"]), int(attributes["channels"])
                if rate not in RATES or channels not in CHANNELS:
                    raise ValueError(f"{channels} channels of {rate} Hz")
                frames = self._like_the_track(await _decoded(reader, rate, channels))
        except Exception as error:
            logger.warning("audio from before the call cannot be read: %r", error)
            return
        if not recording.done():
            recording.set_result(frames)

    def _like_the_track(self, frames: list[rtc.AudioFrame]) -> list[rtc.AudioFrame]:
        """The same sound in frames as those that follow."""
        options = self._options
        rate, channels = options.sample_rate, options.num_channels
        same = AudioByteStream(rate, channels, rate * options.frame_size_ms // 1000)
        found: list[rtc.AudioFrame] = []
        for frame in _resampled(map(_mixed, frames), rate):
            found += same.push(np.repeat(np.asarray(frame.data), channels).tobytes())
        return found + same.flush()


async def _decoded(reader: rtc.ByteStreamReader, rate: int, channels: int) -> list[rtc.AudioFrame]:
    kind, size = reader.info.mime_type or "", 0
    if kind == "audio/opus" or "codecs=opus" in kind:
        decoder = AudioStreamDecoder(sample_rate=rate, num_channels=channels)
        async for chunk in reader:
            if (size := size + len(chunk)) < LARGEST:
                decoder.push(chunk)
        decoder.end_input()
        return [frame async for frame in decoder]
    plain = AudioByteStream(rate, channels)
    frames: list[rtc.AudioFrame] = []
    async for chunk in reader:
        if (size := size + len(chunk)) < LARGEST:
            frames += plain.push(chunk)
    return frames + plain.flush()


def _mixed(frame: rtc.AudioFrame) -> rtc.AudioFrame:
    """All channels in one."""
    if frame.num_channels == 1:
        return frame
    sides = np.asarray(frame.data).reshape(-1, frame.num_channels)
    pcm = sides.mean(axis=1).astype(np.int16)
    return rtc.AudioFrame(pcm.tobytes(), frame.sample_rate, 1, len(pcm))


def _resampled(frames: Iterable[rtc.AudioFrame], rate: int) -> Iterator[rtc.AudioFrame]:
    resampler = None
    for frame in frames:
        if frame.sample_rate == rate:
            yield frame
            continue
        resampler = resampler or rtc.AudioResampler(frame.sample_rate, rate)
        yield from resampler.push(frame)
    if resampler is not None:
        yield from resampler.flush()
