"""What a recogniser's server makes of the sound it is sent: words where there is a voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK: Final = 0.02  # seconds looked at together
LOUD: Final = 500  # of 32,767: a voice
INTERIM: Final = 0.3  # seconds of a voice after which half of its words are guessed
FINAL: Final = 0.2  # seconds of silence after which they are certain


@dataclass(frozen=True, slots=True)
class Heard:
    """Since `start` seconds of the sound somebody speaks, or has said `text`, until `end`."""

    kind: Literal["begin", "interim", "final"]
    text: str = ""
    start: float = 0.0
    end: float = 0.0


class Ear:
    """Takes each utterance for the next of `texts`, whatever it is.

    Mutable state: the seconds of sound, the block that is not whole, and the utterance so far.
    """

    def __init__(self, texts: Iterable[str], rate: int) -> None:
        self.seconds = 0.0
        self._texts = iter(texts)
        self._size = 2 * round(BLOCK * rate)  # bytes
        self._rest = b""
        self._text: str | None = None  # of the voice that is heard
        self._began = 0.0
        self._last = 0.0  # when it was heard last
        self._guessed = False

    def hear(self, pcm: bytes) -> Iterator[Heard]:
        """What these samples bring, 16 bits each."""
        self._rest += pcm
        while len(self._rest) >= self._size:
            block, self._rest = self._rest[: self._size], self._rest[self._size :]
            loud = int(np.abs(np.frombuffer(block, np.int16).astype(np.int32)).max()) > LOUD
            self.seconds += BLOCK
            yield from self._judge(loud)

    def finish(self) -> Iterator[Heard]:
        """Nothing follows for now: what was heard is certain."""
        if self._text is not None:
            yield self._heard("final", self._text)
            self._text = None

    def _judge(self, loud: bool) -> Iterator[Heard]:
        if loud:
            self._last = self.seconds
            if self._text is None:
                self._text = next(self._texts, "")
                self._began, self._guessed = self.seconds - BLOCK, False
                yield self._heard("begin")
        if self._text is None:
            return
        if not self._guessed and self.seconds - self._began >= INTERIM:
            self._guessed = True
            words = self._text.split()
            yield self._heard("interim", " ".join(words[: max(1, len(words) // 2)]))
        if self.seconds - self._last >= FINAL - 1e-9:
            yield from self.finish()

    def _heard(self, kind: Literal["begin", "interim", "final"], text: str = "") -> Heard:
        return Heard(kind, text, self._began, self._last)
