"""Words on their way to a room: text streams on `lk.transcription`, and the packets before them.

A segment has one id. The agent's words are one stream each segment, which grows as they are heard;
of a user's words each version is a stream of its own. The last one, or its end, says so.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from livekit import rtc
from livekit.agents import io
from livekit.agents.types import (
    ATTRIBUTE_TRANSCRIPTION_FINAL,
    ATTRIBUTE_TRANSCRIPTION_SEGMENT_ID,
    ATTRIBUTE_TRANSCRIPTION_TRACK_ID,
    TOPIC_TRANSCRIPTION,
)
from livekit.agents.utils import shortuuid

from antiphon.pipeline.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.room")


@dataclass(slots=True)
class Segment:
    """Words of one speaker that belong together; `text` is what was sent of them, to those who were
    there when somebody had come for the `times`th time."""

    identity: str
    track_sid: str | None
    text: str = ""
    writer: rtc.TextStreamWriter | None = None
    times: int = 0
    id: str = field(default_factory=lambda: shortuuid("SG_"))

    def attributes(self, *, final: bool) -> dict[str, str]:
        found = {
            ATTRIBUTE_TRANSCRIPTION_SEGMENT_ID: self.id,
            ATTRIBUTE_TRANSCRIPTION_FINAL: "true" if final else "false",
        }
        if self.track_sid:
            found[ATTRIBUTE_TRANSCRIPTION_TRACK_ID] = self.track_sid
        return found


@dataclass(frozen=True, slots=True)
class Words:
    """What is to be sent: `text`, of a segment that it ends or not."""

    segment: Segment
    text: str
    final: bool


class Transcription:
    """One speaker's words. `speaker` says who that is, and which track the words are of; nothing is
    sent while it gives None. `packets` says whether somebody needs the old packets.

    Mutable state: the open segment, what waits to be sent, and whether it can be.
    """

    def __init__(
        self,
        room: rtc.Room,
        scope: Scope,
        name: str,
        speaker: Callable[[], tuple[str, str | None] | None],
        packets: Callable[[], bool],
    ) -> None:
        self._room = room
        self._speaker = speaker
        self._packets = packets
        self._segment: Segment | None = None
        self._waiting: Stream[Words] = Stream(10**9, name=name)
        self._online = asyncio.Event()
        self._online.set()
        self.sending = scope.start(name, self._send())

    def more(self, text: str) -> None:
        """These words follow."""
        self._put(text, final=False)

    def end(self) -> None:
        """The segment is over."""
        if self._segment is not None:
            self._put("", final=True)

    def version(self, text: str, *, final: bool) -> None:
        """This is all of the segment, as far as is known."""
        self._put(text, final=final)

    def online(self, on: bool) -> None:
        """What is sent while a connection is made anew is lost: it waits."""
        if on:
            self._online.set()
        else:
            self._online.clear()

    def close(self) -> None:
        """No words follow; `sending` ends when all are sent."""
        self.end()
        self._waiting.end()

    def _put(self, text: str, *, final: bool) -> None:
        if self._segment is None and (speaker := self._speaker()) is not None:
            self._segment = Segment(*speaker)
        if self._segment is not None and not self._waiting.ended:
            self._waiting.put_nowait(Words(self._segment, text, final))
        if final:
            self._segment = None

    async def _send(self) -> None:
        async for words in self._waiting:
            await self._online.wait()
            if not self._room.isconnected():
                continue
            try:
                await self._stream(words)
                if self._packets():
                    await self._packet(words)
            except Exception as error:
                logger.warning("words were not sent to the room: %s", error)

    async def _stream(self, words: Words) -> None:
        raise NotImplementedError

    async def _opened(self, segment: Segment, *, final: bool) -> rtc.TextStreamWriter:
        return await self._room.local_participant.stream_text(
            topic=TOPIC_TRANSCRIPTION,
            attributes=segment.attributes(final=final),
            sender_identity=segment.identity,
        )

    async def _packet(self, words: Words) -> None:
        segment = words.segment
        if segment.track_sid is None:
            return
        part = rtc.TranscriptionSegment(
            id=segment.id,
            text=segment.text,
            start_time=0,
            end_time=0,
            language="",
            final=words.final,
        )
        await self._room.local_participant.publish_transcription(
            rtc.Transcription(segment.identity, segment.track_sid, [part])
        )


class UserWords(Transcription):
    """A user's words as the recogniser understands them, each version whole."""

    async def _stream(self, words: Words) -> None:
        words.segment.text = words.text
        writer = await self._opened(words.segment, final=words.final)
        await writer.write(words.text)
        await writer.aclose()


class AgentWords(Transcription, io.TextOutput):
    """The agent's words as they are heard. With `lines`, each part is a line of JSON."""

    def __init__(
        self,
        room: rtc.Room,
        scope: Scope,
        speaker: Callable[[], tuple[str, str | None] | None],
        packets: Callable[[], bool],
        *,
        lines: bool = False,
        next_in_chain: io.TextOutput | None = None,
    ) -> None:
        Transcription.__init__(self, room, scope, "agent words", speaker, packets)
        io.TextOutput.__init__(self, label="room", next_in_chain=next_in_chain)
        self._lines = lines
        self._times = 0

    def anew(self) -> None:
        """Somebody has come, or come back, who has not the words of segments that were begun."""
        self._times += 1
        if self._segment is not None and not self._waiting.ended:
            self._waiting.put_nowait(Words(self._segment, "", final=False))

    async def capture_text(self, text: str) -> None:
        self.more(text)
        if self.next_in_chain is not None:
            await self.next_in_chain.capture_text(text)

    def flush(self) -> None:
        self.end()
        if self.next_in_chain is not None:
            self.next_in_chain.flush()

    async def _stream(self, words: Words) -> None:
        segment, text = words.segment, words.text
        segment.text += text
        if segment.writer is not None and segment.times != self._times:
            before, segment.writer = segment.writer, None
            await before.aclose()
        if segment.writer is None:
            segment.times = self._times
            segment.writer = await self._opened(segment, final=False)
            text = segment.text  # who saw another stream of this segment sees it replaced
        if text:
            line = json.dumps({"text": text}) + "\n"
            await segment.writer.write(line if self._lines else text)
        if words.final:
            await segment.writer.aclose(attributes=segment.attributes(final=True))
