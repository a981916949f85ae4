"""The words of a step as its voice times them, on their way through transcription_node.

What the node gives is heard when the last word that it had read before was. A voice that times no
word leaves the node the written text, once all of that has been spoken.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from antiphon.pipeline.foreign import finish
from antiphon.pipeline.streams import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from antiphon.pipeline.ledger import Ledger, Sound

logger = logging.getLogger("antiphon.reply")

Shown = tuple[str, int | None]  # a text and its last sample; None: of the written text


@dataclass(frozen=True, slots=True)
class Timed:
    """A `word` of the voice's. `text` is the word with what stands between it and the next one;
    its own times count from `offset` seconds after the start of its segment; `last` is its last
    sample, from the start of the step."""

    word: str
    text: str
    offset: float
    last: int


class Aligned:
    """Mutable state: the words on their way, how far they go in the spoken text, and the last
    sample of what the node has read."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        self._ledger = ledger
        self._words: Stream[Timed] = Stream(10**6, name=name)
        self._found = 0  # letters of the spoken text up to the last word
        self._read: int | None = None

    def take(self, sound: Sound, begin: int) -> None:
        """The voice has made this, and its times count from sample `begin`."""
        offset = (begin - self._ledger.segment) / self._ledger.rate
        for word, end in sound.words:
            last = begin + round(end * self._ledger.rate)
            if not self._words.ended:
                self._words.put_nowait(Timed(word, self._whole(word), offset, last))

    def end(self) -> None:
        """It makes no more."""
        self._words.end()

    async def texts(self) -> AsyncGenerator[str | Timed, None]:
        """What the node reads."""
        async for word in self._words:
            self._read = word.last
            yield word
        if self._read is None:
            for text in self._ledger.written:
                yield text

    async def pairs(self, shown: AsyncIterable[str]) -> AsyncGenerator[Shown, None]:
        """What the node gives, each with where it is heard."""
        try:
            async for text in shown:
                yield text, self._read
        finally:
            await finish(shown)

    def _whole(self, word: str) -> str:
        """The word with the marks and the space after it, where it is found in the spoken text."""
        spoken = "".join(self._ledger.spoken)
        plain = word.strip()
        at = spoken.find(plain, self._found)
        if not plain or at < 0:
            return word
        end = at + len(plain)
        while end < len(spoken) and not spoken[end].isalnum():
            end += 1
        self._found = end
        return spoken[at:end]


async def note_aligned(shown: Stream[Shown], ledger: Ledger) -> None:
    """Read an overridden transcription_node; its error must not end what is being said."""
    written: list[str] = []
    try:
        async for text, last in shown:
            if last is None:
                written.append(text)
            else:
                ledger.timed.append((text, last))
    except Exception as error:
        logger.warning("transcription_node failed; the text is shown as written", exc_info=error)
        ledger.timed.clear()
    else:
        if written:
            ledger.shown, ledger.all_shown = written, True
