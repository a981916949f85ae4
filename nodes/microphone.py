"""What is heard of the user at a microphone, for a session to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from livekit import rtc
from livekit.agents import io

from antiphon.nodes.echo import RATE, STEP
from antiphon.pipeline.streams import Stream

if TYPE_CHECKING:
    from antiphon.nodes.local.sound import Samples

FRAME: Final = 2  # steps of 10 ms in a frame: the detector's window
UNREAD: Final = 100  # frames kept for a session that does not read


class Microphone(io.AudioInput):
    """What is to be heard of the user: 16 kHz, in frames of 20 ms.

    Mutable state: the frames that wait, the part of the next one, and whether it is muted.
    """

    def __init__(self) -> None:
        super().__init__(label="microphone")
        self.muted = False  # nothing is heard or kept of the user
        self._frames: Stream[rtc.AudioFrame] = Stream(10**9, name="microphone")
        self._steps: list[Samples] = []

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.next()

    @property
    def lacks(self) -> int:
        """Samples until there is another frame."""
        return (FRAME - len(self._steps)) * STEP

    def hear(self, step: Samples) -> None:
        """Ten milliseconds more."""
        self._steps.append(step)
        if len(self._steps) == FRAME:
            samples = np.concatenate(self._steps)
            self._steps = []
            while self._frames.size >= UNREAD:
                self._frames.take_nowait()
            self._frames.put_nowait(rtc.AudioFrame(samples.tobytes(), RATE, 1, len(samples)))
