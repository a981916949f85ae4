"""Several recognisers as one: who takes over is given what the one that died has not understood.

LiveKit's adapter gives a recogniser that takes over the sound from then on; what was said before,
and not understood yet, would be lost with the one that died.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from livekit.agents import stt

from antiphon.nodes.tail import Tail
from antiphon.nodes.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit import rtc

SWITCHED: Final = "stt_availability_changed"
KEPT: Final = 30.0  # seconds of sound


class Kept(Watch):
    """The sound since the last final words, which `push` takes once more when another takes over.

    Mutable state: that sound, and where it goes.
    """

    def __init__(self, engine: stt.STT[Any]) -> None:
        self._several = isinstance(engine, stt.FallbackAdapter)
        super().__init__(engine, *([SWITCHED] if self._several else []), then=self._again)
        self._tail = Tail(KEPT)
        self._push: Callable[[rtc.AudioFrame], None] = self._tail.keep

    def forward(self, push: Callable[[rtc.AudioFrame], None]) -> Callable[[rtc.AudioFrame], None]:
        """`push`, which keeps what it takes."""
        if not self._several:
            return push
        self._push = push
        return self._keep

    def understood(self) -> None:
        """Final words came."""
        self._tail.clear()

    def _keep(self, frame: rtc.AudioFrame) -> None:
        self._tail.keep(frame)
        self._push(frame)

    def _again(self) -> None:
        for frame in list(self._tail.frames):
            self._push(frame)
