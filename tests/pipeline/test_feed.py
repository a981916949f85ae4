"""Text on its way to the voice: nothing lost, nothing early, and errors after the words."""

import asyncio
import math
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Literal

import pytest

from antiphon.pipeline.aligned import Timed
from antiphon.pipeline.errors import NodeTimeout
from antiphon.pipeline.feed import Feed, note_shown, only_text
from antiphon.pipeline.ledger import Ledger, Sound
from antiphon.pipeline.pace import Pace
from antiphon.pipeline.source import Flush, Text
from antiphon.pipeline.streams import Scope, Stream

Piece = tuple[float, Text | Exception]


class Words:
    """Cuts after each space; what has no space after it yet is held for half a second."""

    def __init__(self) -> None:
        self._text, self._ready_at = "", math.inf

    def push(self, text: str, now: float) -> None:
        self._text += text
        self._ready_at = now + 0.5

    def flush(self) -> None:
        self._ready_at = -math.inf

    def take(self, now: float, slack: float) -> str | None:
        end = self._text.find(" ") + 1
        if not end and now >= self._ready_at:
            end = len(self._text)
        chunk, self._text = self._text[:end], self._text[end:]
        return chunk or None

    def wait(self, now: float, slack: float) -> float | None:
        return self._ready_at - now if self._text else None


class Script:
    """A source whose thoughts come at scripted times; only its text matters here."""

    early = True
    voiced_by: Literal["tts", "llm"] = "tts"
    aligned = False

    def __init__(self, *pieces: Piece) -> None:
        self._pieces = pieces

    async def think(self) -> AsyncIterator[Text]:
        for when, piece in self._pieces:
            await asyncio.sleep(when - asyncio.get_running_loop().time())
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def chunker(self) -> Words:
        return Words()

    async def polish(self, chunk: str) -> str:
        return chunk.replace("*", "")

    def speak(self, texts: AsyncIterable[str]) -> AsyncIterable[Sound]:
        raise NotImplementedError

    def show(self, texts: AsyncIterable[str | Timed]) -> AsyncIterable[str] | None:
        return None


class Reading:
    """A feed of a script, read as a voice reads it; `spoken` and `written` have loop times."""

    def __init__(self, *pieces: Piece, patience: float = 9.0) -> None:
        self.spoken: list[tuple[float, str]] = []
        self.written: list[str] = []
        self.ledger = Ledger(100, Pace())
        self.gate = asyncio.Event()
        self.gate.set()
        self._source = Script(*pieces)
        self._patience = patience

    async def read(self, segments: int = 1) -> Feed:
        async with Scope("reply") as scope:
            thoughts = scope.pipe("llm", self._source.think(), ahead=1000, measure=_one)
            feed = Feed(
                self._source,
                thoughts,
                self.ledger,
                patience=self._patience,
                slack=lambda: 0.0,
                gate=self._open,
            )
            for _ in range(segments):
                async for spoken in feed.segment(self.written.append):
                    assert not feed.asking
                    self.spoken.append((asyncio.get_running_loop().time(), spoken))
            return feed

    async def _open(self) -> None:
        await self.gate.wait()


def _one(thought: Text) -> int:
    return 1


async def test_a_chunk_goes_at_the_moment_it_is_complete_or_has_been_held_long_enough() -> None:
    reading = Reading((1.0, "one t"), (1.25, "wo three"), (5.0, " four"))
    feed = await reading.read()
    assert reading.spoken == [(1.0, "one "), (1.25, "two "), (1.75, "three"), (5.0, "four")]
    assert "".join(reading.written) == "".join(reading.ledger.written) == "one two three four"
    assert feed.ended
    assert feed.error is None


async def test_the_words_of_a_model_that_fails_are_spoken_and_its_error_is_kept() -> None:
    oops = ValueError("oops")
    reading = Reading((1.0, "one two"), (1.25, oops))
    feed = await reading.read()
    assert reading.spoken == [(1.0, "one "), (1.25, "two")]
    assert feed.ended
    assert feed.error is oops


async def test_a_model_that_says_nothing_for_too_long_ends_the_text_and_says_so() -> None:
    reading = Reading((1.0, "one two"), (60.0, "never"), patience=2.0)
    feed = await reading.read()
    assert reading.spoken == [(1.0, "one "), (1.5, "two")]
    assert isinstance(feed.error, NodeTimeout)
    assert asyncio.get_running_loop().time() == 3.5, "silence is counted while text is waited for"


async def test_a_model_that_gives_nothing_is_no_text_and_no_error() -> None:
    reading = Reading()
    feed = await reading.read()
    assert (reading.spoken, reading.written, feed.ended, feed.error) == ([], [], True, None)


async def test_a_segment_mark_ends_the_segment_and_what_was_held_goes_with_it() -> None:
    reading = Reading((1.0, "one two"), (1.25, Flush.SEGMENT), (1.25, "three"))
    feed = await reading.read()
    assert reading.spoken == [(1.0, "one "), (1.25, "two")]
    assert not feed.ended
    reading = Reading((3.0, "one two"), (3.25, Flush.SEGMENT), (3.25, "three"))
    feed = await reading.read(segments=2)
    assert reading.spoken == [(3.0, "one "), (3.25, "two"), (3.25, "three")]
    assert feed.ended


async def test_text_with_nothing_to_speak_goes_with_a_neighbour_and_is_written_once() -> None:
    reading = Reading((1.0, "** one ** two "), (1.25, Flush.SEGMENT), (1.5, "three **"))
    await reading.read(segments=3)
    assert [spoken for _, spoken in reading.spoken] == ["one ", "two ", "three "]
    assert reading.ledger.written == ["** one ", "** two ", "three **"]
    assert "".join(reading.written) == "** one ** two three **"
    assert reading.ledger.spoken == ["one ", "two ", "three "]


async def test_only_the_first_chunk_of_a_draft_passes_its_gate() -> None:
    reading = Reading((1.0, "one two three"))
    reading.gate.clear()
    asyncio.get_running_loop().call_at(7.0, reading.gate.set)
    await reading.read()
    assert reading.spoken == [(1.0, "one "), (7.0, "two "), (7.0, "three")]


async def test_a_feed_asks_only_while_it_waits_for_text() -> None:
    seen: list[bool] = []
    reading = Reading((1.0, "one"), (3.0, " two"))
    async with Scope("s") as scope:
        scope.start("reading", reading.read())
        await asyncio.sleep(0.5)
        stream: Stream[Text] = Stream(9)
        feed = Feed(
            *(Script(), stream, Ledger(1, Pace())),
            patience=9.0,
            slack=lambda: 0.0,
            gate=reading._open,
        )
        reader = scope.start("reader", _first(feed, seen.append))
        seen.append(feed.asking)
        await asyncio.sleep(0.5)
        seen.append(feed.asking)
        stream.put_nowait("one ")
        await asyncio.wait([reader])
    assert seen == [False, True, False]


async def _first(feed: Feed, tell: Callable[[bool], None]) -> None:
    async for _ in feed.segment(lambda written: None):
        tell(feed.asking)
        return


async def test_only_text_gives_every_word_and_ends_a_silence() -> None:
    async with Scope("s") as scope:
        script = Script((1.0, "one "), (2.0, Flush.SEGMENT), (2.5, "two"), (99.0, "three"))
        thoughts = scope.pipe("llm", script.think(), ahead=9, measure=_one)
        texts: list[str] = []
        with pytest.raises(NodeTimeout):
            async for text in only_text(thoughts, 3.0):
                texts.append(text)  # noqa: PERF401  # what was there before the error
        assert texts == ["one ", "two"]
        assert asyncio.get_running_loop().time() == 5.5


async def test_a_transcription_node_that_fails_leaves_the_text_as_it_was_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = Ledger(100, Pace())
    shown: Stream[str] = Stream(9)
    shown.put_nowait("ONE")
    shown.end()
    await note_shown(shown, ledger)
    assert ledger.shown == ["ONE"]
    shown = Stream(9)
    shown.put_nowait("ONE")
    shown.end(ValueError("oops"))
    await note_shown(shown, ledger)
    assert ledger.shown is None
    assert "transcription_node failed" in caplog.text
