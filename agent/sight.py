"""The session's eyes: of the pictures that come, the last one that its sampler lets through."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from antiphon.nodes.room_input import RoomPictures

if TYPE_CHECKING:
    from livekit import rtc
    from livekit.agents import io, llm

    from antiphon.in_room import Session
    from antiphon.pipeline.streams import Scope
    from antiphon.session import AgentSession
    from antiphon.vision import Vision


class SightOfSession:
    """What a session says of what it sees."""

    @property
    def picture(self: Session) -> rtc.VideoFrame | None:
        """What the user shows, camera or screen: the last picture that `video_sampler` let through,
        or the last of all where that is None. None while nothing is shown."""
        return self._run.sight.picture if self._run is not None else None

    @property
    def shown(self: Session) -> list[llm.ImageContent]:
        """What goes with a turn of the user's of what they show: with `vision`, that picture, as
        small as it says."""
        content = self._run.sight.content if self._run is not None else None
        return [] if content is None else [content]


class Sight:
    """Mutable state: where pictures come from, the last one that was looked at, the same as it goes
    with a turn, and the one that is still to be made so."""

    def __init__(self, session: AgentSession[Any], scope: Scope) -> None:
        self._session = session
        self._scope = scope
        self.picture: rtc.VideoFrame | None = None
        self.content: llm.ImageContent | None = None
        self._unencoded: rtc.VideoFrame | None = None
        self._encoding: asyncio.Task[None] | None = None
        self._source: io.VideoInput | None = None
        self._looking: asyncio.Task[None] | None = None

    def attach(self, source: io.VideoInput | None) -> None:
        """Look at that from now on, and at nothing else."""
        if source is self._source:
            return
        if isinstance(self._source, RoomPictures):
            self._source.seen = lambda _: None
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        self._source = source
        self._take(None)
        if isinstance(source, RoomPictures):
            source.seen = self._see  # it can have a reader beside the session
        elif source is not None:
            self._looking = self._scope.start("eyes", self._look(source))

    async def _look(self, source: io.VideoInput) -> None:
        try:
            async for frame in source:
                self._see(frame)
        except Exception as error:
            self._session.conversation.faults.failed("input", error)

    def _see(self, frame: rtc.VideoFrame | None) -> None:
        """One picture; None: nothing is shown."""
        session = self._session
        try:
            let_through = frame is None or (
                session.input.video_enabled
                and (session.video_sampler is None or session.video_sampler(frame, session))
            )
        except Exception as error:  # the program's sampler
            session.conversation.faults.failed("input", error)
        else:
            if let_through:
                self._take(frame)

    def _take(self, frame: rtc.VideoFrame | None) -> None:
        self.picture = frame
        if frame is None:
            self.content = self._unencoded = None
            return
        self._session.conversation.realtime.see(frame)
        if self._session.vision is not None:
            self._unencoded = frame
            if self._encoding is None or self._encoding.done():
                self._encoding = self._scope.start("picture", self._encode(self._session.vision))

    async def _encode(self, vision: Vision) -> None:
        """Encode the last picture, until there is no later one: what comes meanwhile but the last
        is left out."""
        while (frame := self._unencoded) is not None:
            self._unencoded = None
            loop = asyncio.get_running_loop()
            try:
                content = await loop.run_in_executor(None, vision.encoded, frame)
            except Exception as error:
                self._session.conversation.faults.failed("input", error)
                return
            if self.picture is not None:
                self.content = content
