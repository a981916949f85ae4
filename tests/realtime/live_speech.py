"""What a model that listens while it speaks says: one stream of sound, at the pace of the clock."""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from tests.realtime.sound import OUT_RATE, Samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.realtime.live_wire import Session
    from tests.realtime.script import Made

PIECE: Final = 0.1  # seconds of sound in one event


class Speech:
    """Mutable state: what is being said, the words that are to come, the sound of the last, and
    what is told when a word has ended (at that sample)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._made: Made | None = None
        self._words: Iterator[tuple[str, Samples]] = iter(())
        self._sound: Samples = np.zeros(0, np.int16)
        self._told: deque[tuple[int, str, dict[str, int]]] = deque()
        self._due = 0.0

    @property
    def speaking(self) -> bool:
        return self._made is not None

    def begin(self, made: Made) -> None:
        """Say that, and nothing else any more."""
        self.stop()
        voice = self._session.model.voice
        self._made, self._words = made, voice.answer(made.answer.words())
        made.notes["first"] = len(voice.made)
        self._due = asyncio.get_running_loop().time() + made.answer.wait

    def stop(self) -> None:
        """Fall silent."""
        made, self._made = self._made, None
        if made is not None:
            made.stopped = asyncio.get_running_loop().time()
            self._over(made)
        self._words, self._sound = iter(()), np.zeros(0, np.int16)
        self._told.clear()

    def _over(self, made: Made) -> None:
        if made.said:
            self._session.said.append(("assistant", made.said))

    async def run(self) -> None:
        """The stream, as long as the session lasts."""
        loop, size, number = asyncio.get_running_loop(), round(PIECE * OUT_RATE), 0
        began = loop.time()
        while True:
            made = self._made
            if made is not None and loop.time() >= self._due and made.answer.fault != "silence":
                await self._fill(made, size)
            piece = np.zeros(size, np.int16)
            piece[: len(self._sound[:size])] = self._sound[:size]
            heard = min(size, len(self._sound))
            self._sound = self._sound[size:]
            delta = base64.b64encode(piece.tobytes()).decode()
            await self._session.send("session.output_audio.delta", delta=delta)
            if made is not None and heard:
                self._session.model.sent(made, heard)
                await self._tell(made)
            number += 1
            await asyncio.sleep(max(0.0, began + number * PIECE - loop.time()))

    async def _fill(self, made: Made, size: int) -> None:
        """Have enough sound for a piece."""
        while len(self._sound) < size:
            spoken = next(self._words, None)
            if spoken is None:
                if not len(self._sound):
                    await self._finish(made)
                return
            text, sound = spoken
            at = self._session.now + len(self._sound) * 1000 / OUT_RATE
            span = {"start_ms": round(at), "end_ms": round(at + len(sound) * 1000 / OUT_RATE)}
            self._sound = np.append(self._sound, sound)
            self._told.append((made.samples + len(self._sound), text, span))

    async def _tell(self, made: Made) -> None:
        """The words that have ended."""
        while self._told and self._told[0][0] <= made.samples:
            _, text, span = self._told.popleft()
            delta = f" {text}" if made.said else text
            made.said += delta
            await self._session.send("session.output_transcript.delta", delta=delta, **span)

    async def _finish(self, made: Made) -> None:
        if self._made is not made:
            return
        self._made = None
        if made.answer.fault == "cut":
            self._session.model.lose()
            return
        made.over = True
        self._over(made)
        await self._session.used()
        if made.answer.calls:
            await self._session.call(made.answer.calls)
