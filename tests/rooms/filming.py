"""A caller's camera, and what colour a picture is of."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import numpy as np
from livekit import rtc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.rooms.calling import Caller

WIDTH, HEIGHT = 64, 48
BETWEEN: Final = 0.05  # seconds from one picture to the next
COLOURS: Final = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


class Camera:
    """Mutable state: the colour that it films; None is nothing at all."""

    def __init__(self, colour: str) -> None:
        self.colour: str | None = colour
        self.source = rtc.VideoSource(WIDTH, HEIGHT)
        self.track = rtc.LocalVideoTrack.create_video_track("camera", self.source)

    async def film(self) -> None:
        while True:
            if self.colour is not None:
                pixels = bytes((*COLOURS[self.colour], 255)) * WIDTH * HEIGHT
                frame = rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.RGBA, pixels)
                self.source.capture_frame(frame)
            await asyncio.sleep(BETWEEN)


@contextlib.asynccontextmanager
async def camera(
    caller: Caller,
    colour: str,
    source: rtc.TrackSource.ValueType = rtc.TrackSource.SOURCE_CAMERA,
) -> AsyncIterator[Camera]:
    """The caller's, or a screen that is shared: on from now on, and away afterwards."""
    made = Camera(colour)
    me = caller.room.local_participant
    publication = await me.publish_track(made.track, rtc.TrackPublishOptions(source=source))
    filming = asyncio.get_running_loop().create_task(made.film())
    try:
        yield made
    finally:
        filming.cancel()
        await asyncio.wait([filming])
        if caller.room.isconnected():
            await me.unpublish_track(publication.sid)
        await made.source.aclose()


def colour(picture: rtc.VideoFrame | None) -> str | None:
    """Which of `COLOURS` it is of."""
    if picture is None:
        return None
    pixels = np.frombuffer(picture.convert(rtc.VideoBufferType.RGBA).data, np.uint8)
    return list(COLOURS)[int(pixels.reshape(-1, 4)[:, :3].mean(axis=0).argmax())]
