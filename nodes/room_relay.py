"""A participant's voice in another room, as a track of this agent's there."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from livekit import rtc

from antiphon.nodes.room_input import Following

if TYPE_CHECKING:
    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.room")

RATE: Final = 48_000  # what rooms carry: nothing is resampled twice
FRAME: Final = 20  # milliseconds
QUEUE: Final = 100  # milliseconds that wait to be sent
LATE: Final = 10  # frames that wait to be relayed; older ones come too late in a conversation


class RoomRelay(Following):
    """Whoever is followed in one room is heard in the other, with whichever microphone."""

    def __init__(self, room: rtc.Room, scope: Scope) -> None:
        super().__init__(room, scope, {rtc.TrackSource.SOURCE_MICROPHONE})
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=QUEUE)

    async def publish(self, other: rtc.Room, name: str) -> None:
        """Be heard in that room from now on."""
        track = rtc.LocalAudioTrack.create_audio_track(name, self._source)
        microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await other.local_participant.publish_track(track, microphone)

    async def aclose(self) -> None:
        self.close()
        await self._source.aclose()

    async def _read(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        stream = rtc.AudioStream.from_track(
            track=track, sample_rate=RATE, num_channels=1, frame_size_ms=FRAME, capacity=LATE
        )
        async with aclosing(stream):
            async for event in stream:
                await self._source.capture_frame(event.frame)
