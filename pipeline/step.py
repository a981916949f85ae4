"""One pass of a reply through the model and the voice.

    step ─ Scope ┬ "llm"  leaf: source.think ──→ thoughts (bounded in characters), and tool calls
                 ├ "tts"  leaf: source.speak( chunks of the thoughts ) ──→ sounds (in samples)
                 ├ "text" leaf: source.show( written chunks ), where somebody overrides it
                 └ the reply's own task: its turn on the floor, then sounds ──→ playout
    then the floor is given back, and the tools are waited for

An error of a node does not take back what is already made: it is heard, then the error ends the
reply; but tools that the model has called by then run, and what it says to their results is said.
While the reply is a draft it prepares, and waits before its first sample (and before its second
chunk).
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from antiphon.pipeline.aligned import Aligned, note_aligned
from antiphon.pipeline.calls import Call, Calls, Moment
from antiphon.pipeline.errors import NodeError, NodeTimeout
from antiphon.pipeline.fate import Fate
from antiphon.pipeline.feed import MARGIN, Feed, note_shown, only_text
from antiphon.pipeline.foreign import finish
from antiphon.pipeline.ledger import LEDGER, Ledger
from antiphon.pipeline.pace import letters
from antiphon.pipeline.playout import Playout
from antiphon.pipeline.source import VoiceDisabled
from antiphon.pipeline.streams import Scope, Silent, Stream
from antiphon.pipeline.words import unmarked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon.pipeline.aligned import Shown
    from antiphon.pipeline.ledger import Sound
    from antiphon.pipeline.reply import Reply
    from antiphon.pipeline.source import Source, Stage, Text

THOUGHTS_AHEAD: Final = 16_000  # characters of text that may wait for the voice
INSTANT: Final = 1e-3  # seconds that are no time at all
SOUND_AHEAD: Final = 2.0  # seconds of sound that may wait for the output


class Step:
    """See the module's text. `playout` is None where nothing is spoken.

    Mutable state: the first marks, the streams once they run, when the floor was given, and whether
    it has been heard to its end.
    """

    def __init__(self, reply: Reply, source: Source, stage: Stage) -> None:
        output = stage.output
        self.source = source
        self.ledger = Ledger(output.rate if output else 1, stage.pace)
        self.playout = Playout(output, self.ledger, self._sounded) if output else None
        self.calls = Calls(lambda: stage.work(reply, self), self._moment)
        self.marked: dict[str, float] = {}  # loop time of each first mark
        self.granted_at: float | None = None
        self.fate = Fate()
        self.error: Exception | None = None  # what went wrong,
        self.at_fault = "llm"  # and the node that did
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reply = reply
        self._stage = stage
        self._feed: Feed | None = None
        self._sounds: Stream[Sound] | None = None
        self._aligned: Aligned | None = None

    @property
    def failing(self) -> bool:
        """A node of it has failed, though what was made before may still be heard."""
        silent = self._sounds is not None and self._sounds.failed
        return silent or (self._feed is not None and self._feed.error is not None)

    def said(self) -> str:
        """The text heard so far."""
        return unmarked(self.with_marks())

    def with_marks(self) -> str:
        """The same, with what the voice was told between the words."""
        return self.ledger.text_at(self.playout.heard if self.playout else 0)

    def remaining(self) -> float:
        """Seconds still to be heard; infinite while more may come."""
        if self.playout is None or not self.ledger.complete:
            return math.inf
        return (self.ledger.queued - self.playout.heard) / self.ledger.rate

    def over(self) -> None:
        """It has been heard to its end, or was cut."""
        if not self._over.done():
            self._over.set_result(None)
            self.fate.settle(let_out=not self._reply.interrupted and self.error is None)

    async def heard_out(self) -> None:
        """Wait until then."""
        if not self._over.done():
            await asyncio.wait([self._over])

    async def run(self) -> Source | None:
        """Think, speak, wait for the tools; what comes next, or None."""
        await self._speak_it()
        self.over()
        if self.calls.work is None:
            return None
        self.calls.advance()
        if self.error is not None:
            self.calls.refuse()  # what was to be announced was not
        self._reply.rest()
        return await self.calls.work.following()

    async def _speak_it(self) -> None:
        reply, limits = self._reply, self._stage.limits
        async with Scope(f"reply {reply.number}", self._stage.strays) as scope:
            if reply.confirmed and not self.source.early:
                await self._turn_comes()
            thoughts = scope.pipe("llm", self._think(), THOUGHTS_AHEAD, _characters)
            self._feed = feed = Feed(
                self.source,
                thoughts,
                self.ledger,
                patience=limits.thought,
                slack=self._slack,
                gate=reply.permitted,
            )
            if self.playout is None:
                await self._turn_comes()
                await self._write(scope, thoughts)
            else:
                if not self._stage.draft_sound:
                    await reply.permitted()
                ahead = int(SOUND_AHEAD * self.ledger.rate)
                shown = self._shown(scope)
                self._sounds = scope.pipe("tts", self._speak(feed, shown), ahead, _samples)
                await self._turn_comes()
                await self._play(self.playout, self._sounds, feed)
            if feed.error is not None and self.error is None:
                raise feed.error

    async def _turn_comes(self) -> None:
        await self._reply.turn_comes()
        if self.granted_at is None:
            self.granted_at = asyncio.get_running_loop().time()

    async def _play(self, playout: Playout, sounds: Stream[Sound], feed: Feed) -> None:
        """Hand on every sound, drain, and only then say what went wrong."""
        failure: Exception | None = None
        wait = patience = self._stage.limits.sound
        while True:
            try:
                sound = await sounds.next(wait)
            except StopAsyncIteration:
                break
            except Silent:
                since = asyncio.get_running_loop().time() - feed.asked_until
                if not feed.asking and since > patience - INSTANT:
                    failure = NodeTimeout.after(f"{self.source.voiced_by}_node", patience)
                    break
                wait = patience if feed.asking else patience - since
            except Exception as error:
                failure = error
                break
            else:
                wait = patience
                await playout.play(sound)
                self._heard_more()
        await playout.drain()
        self._heard_more()
        if failure is None and (unvoiced := self.ledger.unvoiced):
            who = f"{self.source.voiced_by}_node"
            failure = NodeError(f"{who} did not speak {unvoiced[0]!r} to its end")
        if failure is not None:
            self.error, self.at_fault = failure, self.source.voiced_by

    async def _write(self, scope: Scope, thoughts: Stream[Text]) -> None:
        """Text only: what the model gives is shown as it comes, and counts as heard."""
        self.ledger.mute()
        texts = only_text(thoughts, self._stage.limits.thought)
        show = self.source.show(texts)
        shown = texts if show is None else scope.pipe("text", show, THOUGHTS_AHEAD, len)
        async for text in shown:
            if "audible" not in self.marked:
                self._sounded()
            self.ledger.append(text)
            self._heard_more()

    # The leaves.

    async def _think(self) -> AsyncGenerator[Text, None]:
        self.mark("model_called")
        source = self.source.think()
        try:
            async for thought in source:
                self.mark("first_token")
                if isinstance(thought, Call):
                    self.calls.add(thought)
                    continue
                if isinstance(thought, str):
                    self.calls.said(thought)
                yield thought
        finally:
            await finish(source)

    async def _speak(self, feed: Feed, shown: Stream[str] | None) -> AsyncGenerator[Sound, None]:
        """One call of the voice for each segment of the text."""

        def handed_out(written: str) -> None:
            self.mark("first_chunk")
            if shown is not None and not shown.ended:
                shown.put_nowait(written)

        LEDGER.set(self.ledger)
        while not feed.ended:
            self.ledger.begin_segment()
            texts = feed.segment(handed_out)
            source = self.source.speak(texts)
            try:
                async for sound in source:
                    first = self.mark("first_sound")
                    begin = self.ledger.add(sound)
                    if self._aligned is not None:
                        self._aligned.take(sound, begin)
                    yield sound
                    if first:
                        self._learn_lead()
                        await asyncio.sleep(0)  # it goes out before the next is made
            except VoiceDisabled:
                self.ledger.mute()
                async for _ in texts:
                    self._heard_more()
            finally:
                await finish(source)
            async for unread in texts:
                raise NodeError(f"tts_node ended before its text did; not said: {unread!r} …")
        self.ledger.close()
        if shown is not None:
            shown.end()
        if self._aligned is not None:
            self._aligned.end()

    def _shown(self, scope: Scope) -> Stream[str] | None:
        """Where somebody overrides what is shown: the stream to put the written chunks into."""
        name = f"reply {self._reply.number}/text"
        if self.source.aligned:
            aligned = Aligned(self.ledger, name)
            show = self.source.show(aligned.texts())
            if show is not None:
                self._aligned = aligned
                pairs = scope.pipe("text", aligned.pairs(show), THOUGHTS_AHEAD, _letters)
                scope.start("shown", note_aligned(pairs, self.ledger))
            return None
        chunks: Stream[str] = Stream(THOUGHTS_AHEAD, len, name)
        show = self.source.show(chunks)
        if show is None:
            return None
        scope.start("shown", note_shown(scope.pipe("text", show, THOUGHTS_AHEAD, len), self.ledger))
        return chunks

    # Synchronous bookkeeping.

    def mark(self, kind: str) -> bool:
        """Record the first of its kind in this step; False for any later one."""
        if kind in self.marked:
            return False
        self.marked[kind] = asyncio.get_running_loop().time()
        self._stage.mark(kind, self._reply)
        return True

    def _slack(self) -> float:
        """Seconds that may pass before the voice must be given more text."""
        if not self.ledger.written or self.playout is None:
            return -math.inf
        return self.ledger.runway(self.playout.heard) - self._stage.pace.lead - MARGIN

    def _learn_lead(self) -> None:
        asked = self.marked.get("first_chunk")
        if asked is not None:
            self._stage.pace.learn_lead(self.marked["first_sound"] - asked)

    def _moment(self, before: int) -> Moment:
        """How far the reply is for a tool call with so many letters said before it."""
        if not self._reply.confirmed:
            return Moment.GUESSED
        heard_out = self._over.done() and self.error is None
        announced = not before or heard_out or letters(self.said()) >= before
        return Moment.ANNOUNCED if announced else Moment.COMMITTED

    def _sounded(self) -> None:
        self.mark("audible")
        self.fate.settle(let_out=True)
        self._reply.sounded()

    def _heard_more(self) -> None:
        self._stage.caption(self._reply)
        self.calls.advance()


def _letters(shown: Shown) -> int:
    return len(shown[0])


def _characters(thought: Text) -> int:
    return len(thought) if isinstance(thought, str) else 1


def _samples(sound: Sound) -> int:
    return len(sound.pcm)
