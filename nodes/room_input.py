"""What the agent hears and sees of one participant of a room, whichever tracks that one has."""

from __future__ import annotations

import logging
from abc import abstractmethod
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc
from livekit.agents import io
from livekit.agents.utils import is_given
from livekit.agents.voice.room_io.types import NoiseCancellationParams
from livekit.protocol.models import AudioTrackFeature

from antiphon.pipeline.streams import Stream

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from livekit.agents.voice.room_io import AudioInputOptions

    from antiphon.nodes.room_early import EarlyAudio
    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.room")

AFTERWARDS: Final = 0.5  # seconds of silence behind a track that ended: its speech has, too
UNREAD: Final = 30.0  # seconds of sound that wait for a reader
PICTURES: Final = 2  # that wait for a reader; older ones are of no use
EARLY: Final = int(AudioTrackFeature.TF_PRECONNECT_BUFFER)


class Following:
    """Reads one track of the followed participant: the last one with a source it accepts.

    Mutable state: who is followed, the track that is read, and the task that reads it.
    """

    def __init__(
        self, room: rtc.Room, scope: Scope, sources: set[rtc.TrackSource.ValueType]
    ) -> None:
        self.attached = True
        self._room = room
        self._scope = scope
        self._sources = sources
        self._identity: str | None = None
        self._publication: rtc.RemoteTrackPublication | None = None
        self._track: rtc.Track | None = None
        self._reading: asyncio.Task[None] | None = None
        room.on("track_subscribed", self._subscribed)
        room.on("track_unsubscribed", self._unsubscribed)
        room.on("track_unpublished", self._unpublished)

    def close(self) -> None:
        """Follow nobody any more."""
        self.follow(None)
        self._room.off("track_subscribed", self._subscribed)
        self._room.off("track_unsubscribed", self._unsubscribed)
        self._room.off("track_unpublished", self._unpublished)

    @property
    def track_sid(self) -> str | None:
        """Of the track that is read."""
        return self._publication.sid if self._publication else None

    def follow(self, identity: str | None) -> None:
        """Read that participant's track, now or when there is one."""
        if identity != self._identity:
            self._identity = identity
            self._stop()
            self._take_any()

    def on_attached(self) -> None:
        self.attached = True

    def on_detached(self) -> None:
        self.attached = False

    @abstractmethod
    async def _read(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        """Read the track to its end."""

    def _stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = self._publication = self._track = None

    def _take_any(self, but: str = "") -> None:
        participant = self._room.remote_participants.get(self._identity or "")
        for publication in participant.track_publications.values() if participant else ():
            if publication.track is not None and publication.sid != but:
                assert participant is not None
                self._subscribed(publication.track, publication, participant)

    def _subscribed(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        wanted = participant.identity == self._identity and publication.source in self._sources
        if not wanted or track is self._track or self._scope.closing:
            return
        self._stop()
        self._publication, self._track = publication, track
        self._reading = self._scope.start("room input", self._read(track, publication, participant))

    def _unsubscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, _: rtc.RemoteParticipant
    ) -> None:
        if track is self._track:
            self._stop()
            self._take_any(but=publication.sid)

    def _unpublished(
        self, publication: rtc.RemoteTrackPublication, _: rtc.RemoteParticipant
    ) -> None:
        if publication.sid == self.track_sid:
            self._stop()
            self._take_any(but=publication.sid)


class RoomInput(Following, io.AudioInput):
    """The followed participant's microphone, as frames of `frame_size_ms`."""

    def __init__(
        self, room: rtc.Room, scope: Scope, options: AudioInputOptions, early: EarlyAudio | None
    ) -> None:
        Following.__init__(self, room, scope, {rtc.TrackSource.SOURCE_MICROPHONE})
        io.AudioInput.__init__(self, label="room")
        self._options = options
        self._early = early
        self._frames: Stream[rtc.AudioFrame] = Stream(10**9, name="room input")
        given = options.auto_gain_control
        plain = options.noise_cancellation is None or callable(options.noise_cancellation)
        whole = options.frame_size_ms % 10 == 0  # WebRTC's gain control takes 10 ms at a time
        controlled = whole and (given if is_given(given) else plain)
        self._gain = rtc.AudioProcessingModule(auto_gain_control=True) if controlled else None

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.next()

    async def _read(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        options = self._options
        cancelling: Any = options.noise_cancellation
        chosen = callable(cancelling)  # a selector: what it makes is for this track alone
        if chosen:
            cancelling = cancelling(NoiseCancellationParams(participant, track))
        stream = rtc.AudioStream.from_track(
            track=track,
            sample_rate=options.sample_rate,
            num_channels=options.num_channels,
            frame_size_ms=options.frame_size_ms,
            noise_cancellation=cancelling,
            auto_close_noise_cancellation=chosen,
        )
        async with aclosing(stream):
            if self._early is not None and EARLY in map(int, publication.audio_features):
                for frame in await self._early.of(participant.identity, publication.sid):
                    self._hear(frame)
            async for event in stream:
                if self._gain is not None:
                    self._gain.process_stream(event.frame)
                self._hear(event.frame)

    def _hear(self, frame: rtc.AudioFrame) -> None:
        if self.attached:
            self._frames.put_nowait(frame)
            while self._frames.size > UNREAD * 1000 / self._options.frame_size_ms:
                self._frames.take_nowait()  # nobody reads: a session that was not started

    def _stop(self) -> None:
        if self._reading is not None:
            rate, channels = self._options.sample_rate, self._options.num_channels
            samples = round(rate * self._options.frame_size_ms / 1000)
            silence = bytes(2 * samples * channels)
            for _ in range(round(AFTERWARDS * rate / samples)):
                self._hear(rtc.AudioFrame(silence, rate, channels, samples))
        super()._stop()


class RoomPictures(Following, io.VideoInput):
    """The followed participant's camera or shared screen, whichever came last.

    `seen` is called with each of them, whoever else reads them, and with None when nothing is shown
    any more: an old picture is not what somebody shows.
    """

    def __init__(self, room: rtc.Room, scope: Scope) -> None:
        self.seen: Callable[[rtc.VideoFrame | None], None] = lambda _: None
        sources = {rtc.TrackSource.SOURCE_CAMERA, rtc.TrackSource.SOURCE_SCREENSHARE}
        Following.__init__(self, room, scope, sources)
        io.VideoInput.__init__(self, label="room")
        self._pictures: Stream[rtc.VideoFrame] = Stream(10**9, name="room pictures")
        room.on("track_muted", self._muted)

    def close(self) -> None:
        super().close()
        self._room.off("track_muted", self._muted)

    async def __anext__(self) -> rtc.VideoFrame:
        return await self._pictures.next()

    async def _read(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        async with aclosing(rtc.VideoStream.from_track(track=track)) as stream:
            async for event in stream:
                if self.attached:
                    self.seen(event.frame)
                    self._pictures.put_nowait(event.frame)
                while self._pictures.size > PICTURES:
                    self._pictures.take_nowait()

    def _stop(self) -> None:
        super()._stop()
        while self._pictures.waiting:
            self._pictures.take_nowait()
        self.seen(None)

    def _muted(self, _: rtc.Participant, publication: rtc.TrackPublication) -> None:
        if publication.sid == self.track_sid:
            self.seen(None)
