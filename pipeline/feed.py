"""Text on its way to the voice: thoughts in, chunks out, each cut at the moment it is asked for."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Final, Self

from antiphon.pipeline.errors import NodeTimeout
from antiphon.pipeline.source import Flush
from antiphon.pipeline.streams import Silent
from antiphon.pipeline.words import speakable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from antiphon.pipeline.ledger import Ledger
    from antiphon.pipeline.source import Chunker, Source, Text
    from antiphon.pipeline.streams import Stream

logger = logging.getLogger("antiphon.reply")

MARGIN: Final = 0.15  # seconds: a chunk is handed out this much before the voice needs it


class Feed:
    """The chunks of one step. An error of the model ends the text and is kept for later.

    `gate` holds back everything after the first chunk while the reply is only a draft.
    Mutable state: whether the text, or its segment, has ended, and the error that ended it.
    """

    def __init__(
        self,
        source: Source,
        thoughts: Stream[Text],
        ledger: Ledger,
        *,
        patience: float,
        slack: Callable[[], float],
        gate: Callable[[], Awaitable[None]],
    ) -> None:
        self.error: Exception | None = None
        self.ended = False  # no text follows
        self.asking = False  # the voice waits for text: its silence is not its fault
        self.asked_until = 0.0  # loop time since which it does not
        self._source = source
        self._thoughts = thoughts
        self._ledger = ledger
        self._patience = patience
        self._slack = slack
        self._gate = gate
        self._chunker: Chunker  # of the segment
        self._voice: asyncio.Task[object] | None = None  # the task in which the voice speaks
        self._segment_ended = False
        self._silent = ""  # written text with nothing to speak in it, waiting for a neighbour

    def segment(self, on_chunk: Callable[[str], None]) -> Segment:
        """The spoken chunks up to the next segment mark; `on_chunk` gets the written ones."""
        self._chunker = self._source.chunker()
        self._segment_ended = False
        self._voice = asyncio.current_task()
        return Segment(self, on_chunk)

    async def spoken(self, on_chunk: Callable[[str], None]) -> str | None:
        """The next chunk of the segment with something to speak in it; None at its end."""
        while (written := await self._next(self._chunker)) is not None:
            if self._ledger.written:
                await self._gate()
            spoken = await self._source.polish(written)
            written, self._silent = self._silent + written, ""
            if not speakable(spoken):
                self._silent = written
                continue
            inline = asyncio.current_task() is self._voice
            self._ledger.hand_out(written, spoken, inline=inline)
            on_chunk(written)
            return spoken
        if self._silent and self.ended:
            silent, self._silent = self._silent, ""
            self._ledger.append(silent)
            on_chunk(silent)
        return None

    async def _next(self, chunker: Chunker) -> str | None:
        """The next written chunk, as soon as one should be spoken; None ends the segment."""
        loop = asyncio.get_running_loop()
        silence_ends = loop.time() + self._patience
        while True:
            now, slack = loop.time(), self._slack()
            chunk = chunker.take(now, slack)
            if chunk is not None:
                return chunk
            if self._segment_ended or self.ended:
                return None
            wait = chunker.wait(now, slack)
            try:
                self.asking = True
                thought = await self._thoughts.next(
                    max(0.0, min(math.inf if wait is None else wait, silence_ends - now))
                )
            except Silent:
                if loop.time() >= silence_ends:
                    self._end(chunker, NodeTimeout.after("llm_node", self._patience))
            except StopAsyncIteration:
                self._end(chunker, None)
            except Exception as error:  # the model's: reported when what it had said is spoken
                self._end(chunker, error)
            else:
                now = loop.time()
                silence_ends = now + self._patience
                self._take(chunker, thought, now)
            finally:
                self.asking, self.asked_until = False, loop.time()

    def _take(self, chunker: Chunker, thought: Text, now: float) -> None:
        """Give the chunker a thought and those that came with it, up to the segment's end."""
        while not isinstance(thought, Flush):
            chunker.push(thought, now)
            if not self._thoughts.waiting:
                if self._thoughts.spent:
                    self._end(chunker, None)
                return
            thought = self._thoughts.take_nowait()
        self._segment_ended = True
        chunker.flush()

    def _end(self, chunker: Chunker, error: Exception | None) -> None:
        self.ended = True
        self.error = error
        chunker.flush()


class Segment:
    """What a voice reads. No generator: whoever stops reading leaves nothing to be closed."""

    def __init__(self, feed: Feed, on_chunk: Callable[[str], None]) -> None:
        self._feed = feed
        self._on_chunk = on_chunk

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        spoken = await self._feed.spoken(self._on_chunk)
        if spoken is None:
            raise StopAsyncIteration
        return spoken


async def only_text(thoughts: Stream[Text], patience: float) -> AsyncGenerator[str, None]:
    """The text of a model that nobody will speak; NodeTimeout after `patience` silent seconds."""
    while True:
        try:
            thought = await thoughts.next(patience)
        except StopAsyncIteration:
            return
        except Silent:
            raise NodeTimeout.after("llm_node", patience) from None
        if isinstance(thought, str):
            yield thought


async def note_shown(shown: Stream[str], ledger: Ledger) -> None:
    """Read an overridden transcription_node; its error must not end what is being said."""
    ledger.shown = texts = []
    try:
        async for text in shown:
            texts.append(text)  # noqa: PERF401  # read while it grows
    except Exception as error:
        logger.warning("transcription_node failed; the text is shown as written", exc_info=error)
        ledger.shown = None
    else:
        ledger.all_shown = True
        if ledger.written and not texts:
            logger.warning("transcription_node gave nothing: nothing of this reply is shown")
