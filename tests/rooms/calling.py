"""A caller in a room: a participant that speaks, listens, reads along and writes."""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from livekit import rtc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tests.livekit_server import LiveKitServer

RATE: Final = 16_000
FRAME: Final = 0.01  # seconds: what the ear is given at a time
SOUND: Final = 300  # of a 16-bit sample: what is louder is not silence
STILL: Final = 0.3  # seconds without a sound after which none is on its way
PATIENCE: Final = 20.0  # seconds until something that was waited for is missed
EARLY: Final = "lk.agent.pre-connect-audio-buffer"

Samples = "NDArray[np.int16]"


@dataclass(slots=True)
class Line:
    """One text stream of the transcription, as it grew: (loop time, text)."""

    identity: str
    attributes: dict[str, str]
    parts: list[tuple[float, str]] = field(default_factory=list)
    over: bool = False

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.parts)

    @property
    def segment(self) -> str:
        return self.attributes["lk.segment_id"]

    @property
    def final(self) -> bool:
        return self.attributes.get("lk.transcription_final") == "true"


class Caller:
    """Mutable state: what was heard (with the loop time of each frame), and what was read."""

    def __init__(self, server: LiveKitServer, room: str, identity: str = "caller") -> None:
        self.identity = identity
        self.room = rtc.Room()
        self.heard: list[tuple[float, NDArray[np.int16]]] = []
        self.lines: list[Line] = []
        self.packets: list[tuple[str, rtc.TranscriptionSegment]] = []
        self.states: list[str] = []
        self._server = server
        self._name = room
        self._mouth = rtc.AudioSource(RATE, 1, queue_size_ms=40)
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams: list[rtc.AudioStream] = []

    async def join(
        self,
        *,
        microphone: bool = True,
        preconnect: bool = False,
        listen: bool = True,
        **token: Any,
    ) -> Self:
        self.room.on("track_subscribed", self._listen)
        self.room.on("participant_attributes_changed", self._note_state)
        self.room.on("transcription_received", self._note_packet)
        self.room.register_text_stream_handler("lk.transcription", self._note_line)
        await self.room.connect(
            self._server.url,
            self._server.token(self.identity, self._name, **token),
            rtc.RoomOptions(auto_subscribe=listen),
        )
        if microphone:
            track = rtc.LocalAudioTrack.create_audio_track("microphone", self._mouth)
            source = rtc.TrackSource.SOURCE_MICROPHONE
            await self.room.local_participant.publish_track(
                track, rtc.TrackPublishOptions(source=source, preconnect_buffer=preconnect)
            )
        return self

    async def leave(self) -> None:
        for stream in self._streams:
            await stream.aclose()
        await self.room.disconnect()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._mouth.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    # Mouth.

    async def speak(self, samples: NDArray[np.int16]) -> None:
        """Say it, in real time; returns when its last sample has left."""
        size = RATE // 50
        for at in range(0, len(samples), size):
            piece = samples[at : at + size]
            piece = np.pad(piece, (0, size - len(piece)))
            await self._mouth.capture_frame(rtc.AudioFrame(piece.tobytes(), RATE, 1, size))
        await self._mouth.wait_for_playout()

    @property
    def microphone(self) -> str:
        """The sid of its track."""
        return next(iter(self.room.local_participant.track_publications))

    async def send_early(
        self, samples: NDArray[np.int16], described: dict[str, str] | None = None, track: str = ""
    ) -> None:
        """Send what was recorded before it joined, at its own microphone or at that track's."""
        described = {"sampleRate": str(RATE), "channels": "1"} if described is None else described
        early = await self.room.local_participant.stream_bytes(
            "early", topic=EARLY, attributes={"trackId": track or self.microphone, **described}
        )
        await early.write(samples.tobytes())
        await early.aclose()

    async def write(self, text: str) -> None:
        await self.room.local_participant.send_text(text, topic="lk.chat")

    # Ear.

    def sounding(self) -> list[float]:
        """The loop times of the frames in which something was heard."""
        return [at for at, pcm in self.heard if np.abs(pcm).max() > SOUND]

    def sound(self, until: float = math.inf) -> NDArray[np.int16]:
        """What was heard until that loop time."""
        heard = [pcm for at, pcm in self.heard if at <= until]
        return np.concatenate([*heard, np.zeros(0, np.int16)])

    async def hear_out(self) -> None:
        """Wait for what is on its way to the ear: text is quicker than sound."""
        loop = asyncio.get_running_loop()
        by = loop.time() + 1.0
        while loop.time() < by and self.room.isconnected():
            await asyncio.sleep(0.02)
            if loop.time() - max(self.sounding(), default=0.0) > STILL:
                return

    def said(self, identity: str) -> list[str]:
        """The last version of each segment of that one's words, in order."""
        found: dict[str, str] = {}
        for line in self.lines:
            if line.identity == identity:
                found[line.segment] = line.text
        return list(found.values())

    def state(self) -> str | None:
        """Of the agent, as a front end reads it."""
        shown = (one.attributes for one in self.room.remote_participants.values())
        return next((each["lk.agent.state"] for each in shown if "lk.agent.state" in each), None)

    async def until(self, happened: Callable[[], object], patience: float = PATIENCE) -> None:
        """Wait until it has happened; fails when it does not."""
        loop = asyncio.get_running_loop()
        by = loop.time() + patience
        while not happened():
            assert loop.time() < by, f"not within {patience:g} s; states {self.states}"
            await asyncio.sleep(0.01)

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _listen(self, track: rtc.Track, *_: object) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            stream = rtc.AudioStream(track, sample_rate=RATE, frame_size_ms=round(FRAME * 1000))
            self._streams.append(stream)
            self._start(self._hear(stream))

    async def _hear(self, stream: rtc.AudioStream) -> None:
        loop = asyncio.get_running_loop()
        async for event in stream:
            pcm = np.frombuffer(event.frame.data, np.int16).copy()
            self.heard.append((loop.time(), pcm))

    def _note_state(self, changed: dict[str, str], participant: rtc.Participant) -> None:
        if "lk.agent.state" in changed:
            self.states.append(changed["lk.agent.state"])

    def _note_packet(
        self,
        segments: list[rtc.TranscriptionSegment],
        participant: rtc.Participant | None,
        *_: object,
    ) -> None:
        if participant is not None:  # who is not known, while a connection is made anew
            self.packets += [(participant.identity, segment) for segment in segments]

    def _note_line(self, reader: rtc.TextStreamReader, identity: str) -> None:
        line = Line(identity, dict(reader.info.attributes or {}))
        self.lines.append(line)
        self._start(self._read(reader, line))

    async def _read(self, reader: rtc.TextStreamReader, line: Line) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(rtc.StreamError):
            async for part in reader:
                line.parts.append((loop.time(), part))
        line.attributes |= reader.info.attributes or {}
        line.over = True
