"""One reply of the agent: a task, and in it a nest of scopes.

    run ─ step ─ Scope ┬ "llm"  leaf: source.think ──→ thoughts (bounded in characters)
                       ├ "tts"  leaf: source.speak( chunks of the thoughts ) ──→ sounds (in samples)
                       ├ "text" leaf: source.show( written chunks ), where somebody overrides it
                       └ the reply's own task: its turn on the floor, then sounds ──→ playout

There is one engine for everything that is ever said; a `Source` says where text and sound come
from. No stage knows about interruption. `cut` never awaits; in this order the output drops what it
holds, the ledger fixes what was heard, history gets it, the floor is given back, the task is
cancelled, and whoever waits for the reply is told. Providers unwind after that, where they can
change nothing.

An error of a node does not take back what is already made: it is heard, then the error ends the
reply. A draft is a reply whose permit is not there yet: it prepares, and waits before its first
sample (and before its second chunk) until `confirm` gives it a place in line.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from antiphon.pipeline.errors import NodeError, NodeTimeout
from antiphon.pipeline.feed import MARGIN, Feed, note_shown, only_text
from antiphon.pipeline.ledger import LEDGER, Ledger
from antiphon.pipeline.observations import Audible
from antiphon.pipeline.playout import Playout
from antiphon.pipeline.source import VoiceDisabled
from antiphon.pipeline.streams import STRAYS, Scope, Stream

if TYPE_CHECKING:
    from antiphon.pipeline.floor import Ticket
    from antiphon.pipeline.ledger import Sound
    from antiphon.pipeline.observations import Kind
    from antiphon.pipeline.source import Source, Stage, Thought

THOUGHTS_AHEAD: Final = 16_000  # characters of text that may wait for the voice
SOUND_AHEAD: Final = 2.0  # seconds of sound that may wait for the output

SPEAKING: ContextVar[Reply | None] = ContextVar("antiphon.reply", default=None)
"""The reply in whose tasks this code runs: waiting for that one would be waiting for oneself."""


@dataclass(slots=True, eq=False)
class Step:
    """One pass through the model and the voice; `playout` is None where nothing is spoken."""

    ledger: Ledger
    playout: Playout | None
    marked: dict[str, float] = field(default_factory=dict)  # loop time of each first mark


class Reply:
    """See the module's text. Mutable state: the ticket, the step, and how it ended."""

    def __init__(
        self, number: int, kind: Kind, source: Source, stage: Stage, *, turn: int | None = None
    ) -> None:
        self.number = number
        self.kind = kind
        self.source = source
        self.turn = turn  # the user's turn that it answers
        self.interrupted = False
        self.done = False
        self.error: Exception | None = None
        self.at_fault = "llm"  # the node that the error is of
        self.granted_at: float | None = None
        self._stage = stage
        self._ticket: Ticket | None = None
        self._permit: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._feed: Feed | None = None
        self._sounds: Stream[Sound] | None = None
        self.step = self._new_step()

    @property
    def gen(self) -> int | None:
        """Names its place in line; None while it is a draft, and when it has left."""
        return self._ticket.gen if self._ticket else None

    @property
    def confirmed(self) -> bool:
        """It has, or had, a place in line."""
        return self._permit.done()

    @property
    def failing(self) -> bool:
        """A node of it has failed, though what was made before may still be heard."""
        silent = self._sounds is not None and self._sounds.failed
        return silent or (self._feed or self).error is not None

    def start(self, scope: Scope) -> None:
        """Begin to prepare; nothing is heard before `confirm`."""
        self._task = scope.start(f"reply {self.number}", self._run())
        self._task.add_done_callback(self._finished)

    def confirm(self, kind: Kind | None = None) -> None:
        """Stand in line. The line may move at once, and that may cut this very reply."""
        self.kind = kind or self.kind
        self._ticket = ticket = self._stage.line.take(self.kind)
        self._permit.set_result(ticket)
        self._stage.line.advance()

    def pause(self) -> None:
        if self.step.playout is not None:
            self.step.playout.pause()

    def resume(self) -> None:
        if self.step.playout is not None:
            self.step.playout.resume()

    def cut(self) -> None:
        """End it now; never waits, and may be called again."""
        if self.interrupted or self.done:
            return

        self.interrupted = True
        self._leave()
        if self._task is not None:
            self._task.cancel()
        self._settle()

    def said(self) -> str:
        """The text heard of the current step, so far."""
        step = self.step
        return step.ledger.text_at(step.playout.heard if step.playout else 0)

    def remaining(self) -> float:
        """Seconds still to be heard; infinite while more may come."""
        step = self.step
        if step.playout is None or not step.ledger.complete:
            return math.inf
        return (step.ledger.queued - step.playout.heard) / step.ledger.rate

    # The task.

    async def _run(self) -> None:
        SPEAKING.set(self)
        STRAYS.set(self._stage.strays)
        try:
            await self._one_step(self.step)
        except Exception as error:
            self.error = error
        self._leave()

    async def _one_step(self, step: Step) -> None:
        async with Scope(f"reply {self.number}", self._stage.strays) as scope:
            if self.confirmed and not self.source.early:
                await self._turn_comes()
            thoughts = scope.pipe("llm", self._think(), THOUGHTS_AHEAD, _characters)
            self._feed = feed = Feed(
                self.source,
                thoughts,
                step.ledger,
                patience=self._stage.limits.thought,
                slack=self._slack,
                gate=self._permitted,
            )
            if step.playout is None:
                await self._turn_comes()
                await self._write(scope, step, thoughts)
            else:
                if not self._stage.draft_sound:
                    await self._permitted()
                ahead = int(SOUND_AHEAD * step.ledger.rate)
                shown = self._shown(scope, step)
                self._sounds = scope.pipe("tts", self._speak(feed, step, shown), ahead, _samples)
                await self._turn_comes()
                await self._play(step, step.playout, self._sounds, feed)
            if feed.error is not None:
                raise feed.error

    async def _permitted(self) -> None:
        if not self._permit.done():
            await asyncio.wait([self._permit])

    async def _turn_comes(self) -> None:
        """Wait until the reply is confirmed and then has the floor."""
        await self._permitted()
        turn = self._permit.result().turn
        if not turn.done():
            await asyncio.wait([turn])
        if self.granted_at is None:
            self.granted_at = asyncio.get_running_loop().time()

    async def _play(self, step: Step, playout: Playout, sounds: Stream[Sound], feed: Feed) -> None:
        """Hand on every sound, drain, and only then raise what went wrong."""
        failure: Exception | None = None
        patience = self._stage.limits.sound
        while True:
            try:
                sound = await sounds.next(patience)
            except StopAsyncIteration:
                break
            except TimeoutError:
                if not feed.asking:
                    failure = NodeTimeout.after("tts_node", patience)
                    break
            except Exception as error:
                failure = error
                break
            else:
                await playout.play(sound)
                self._stage.caption(self)
        await playout.drain()
        self._stage.caption(self)
        if failure is None and (unvoiced := step.ledger.unvoiced):
            failure = NodeError(f"tts_node did not speak {unvoiced[0]!r} to its end")
        if failure is not None:
            self.at_fault = "tts"
            raise failure

    async def _write(self, scope: Scope, step: Step, thoughts: Stream[Thought]) -> None:
        """Text only: what the model gives is shown as it comes, and counts as heard."""
        step.ledger.mute()
        texts = only_text(thoughts, self._stage.limits.thought)
        show = self.source.show(texts)
        shown = texts if show is None else scope.pipe("text", show, THOUGHTS_AHEAD, len)
        async for text in shown:
            if "audible" not in step.marked:
                self._sounded()
            step.ledger.append(text)
            self._stage.caption(self)

    # The leaves.

    async def _think(self) -> AsyncGenerator[Thought, None]:
        self._mark("model_called")
        source = self.source.think()
        try:
            async for thought in source:
                self._mark("first_token")
                yield thought
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()

    async def _speak(
        self, feed: Feed, step: Step, shown: Stream[str] | None
    ) -> AsyncGenerator[Sound, None]:
        """One call of the voice for each segment of the text."""

        def handed_out(written: str) -> None:
            self._mark("first_chunk")
            if shown is not None and not shown.ended:
                shown.put_nowait(written)

        LEDGER.set(step.ledger)
        while not feed.ended:
            step.ledger.begin_segment()
            texts = feed.segment(handed_out)
            source = self.source.speak(texts)
            try:
                async for sound in source:
                    first = self._mark("first_sound")
                    step.ledger.add(sound)
                    yield sound
                    if first:
                        self._learn_lead(step)
                        await asyncio.sleep(0)  # it goes out before the next is made
            except VoiceDisabled:
                step.ledger.mute()
                async for _ in texts:
                    self._stage.caption(self)
            finally:
                if isinstance(source, AsyncGenerator):
                    await source.aclose()
            async for unread in texts:
                raise NodeError(f"tts_node ended before its text did; not said: {unread!r} …")
        step.ledger.close()
        if shown is not None:
            shown.end()

    def _shown(self, scope: Scope, step: Step) -> Stream[str] | None:
        """Where somebody overrides what is shown: the stream to put the written chunks into."""
        chunks: Stream[str] = Stream(THOUGHTS_AHEAD, len, f"reply {self.number}/text")
        show = self.source.show(chunks)
        if show is None:
            return None
        scope.start("shown", note_shown(scope.pipe("text", show, THOUGHTS_AHEAD, len), step.ledger))
        return chunks

    # Synchronous bookkeeping.

    def _new_step(self) -> Step:
        output = self._stage.output
        ledger = Ledger(output.rate if output else 1, self._stage.pace)
        return Step(ledger, Playout(output, ledger, self._sounded) if output else None)

    def _slack(self) -> float:
        """Seconds that may pass before the voice must be given more text."""
        ledger, playout = self.step.ledger, self.step.playout
        if not ledger.written or playout is None:
            return -math.inf
        return ledger.runway(playout.heard) - self._stage.pace.lead - MARGIN

    def _learn_lead(self, step: Step) -> None:
        asked = step.marked.get("first_chunk")
        if asked is not None:
            self._stage.pace.learn_lead(step.marked["first_sound"] - asked)

    def _mark(self, kind: str) -> bool:
        """Record the first of its kind in this step; False for any later one."""
        if kind in self.step.marked:
            return False
        self.step.marked[kind] = asyncio.get_running_loop().time()
        self._stage.mark(kind, self)
        return True

    def _sounded(self) -> None:
        self._mark("audible")
        if self._ticket is not None:
            self._stage.observe(Audible(self._ticket.gen))

    def _leave(self) -> None:
        """Give the floor back, history first. Does nothing for who does not own a place."""
        ticket, self._ticket = self._ticket, None
        if ticket is None:
            return

        if ticket is self._stage.line.holder:
            if self.step.playout is not None:
                self.step.playout.cut()
            self._stage.remember(self, self.said())
        self._stage.line.leave(ticket)

    def _finished(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() and not self.interrupted:
            self.interrupted = True  # the session's scope ended it
        self._leave()
        self._settle()

    def _settle(self) -> None:
        if not self.done:
            self.done = True
            self._stage.ended(self)


def _characters(thought: Thought) -> int:
    return len(thought) if isinstance(thought, str) else 1


def _samples(sound: Sound) -> int:
    return len(sound.pcm)
