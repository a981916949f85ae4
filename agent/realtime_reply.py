"""The fourth producer of the reply engine: what a realtime model says.

It thinks and speaks in one: the text is what it says of its own sound. A message without sound is
spoken by the session's voice, like any answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from livekit.agents import llm

from antiphon.nodes.realtime import Response
from antiphon.nodes.tts import sounds
from antiphon.pipeline.ledger import LEDGER
from antiphon.pipeline.reply import SPEAKING
from antiphon.pipeline.streams import Scope
from antiphon.sources import Generated, Uncut, Voice

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator

    from livekit.agents import ModelSettings

    from antiphon.memory import Told
    from antiphon.nodes.realtime import Message
    from antiphon.pipeline.ledger import Sound
    from antiphon.pipeline.source import Chunker, Thought
    from antiphon.pipeline.step import Step
    from antiphon.realtime_link import Link, Wish

logger = logging.getLogger("antiphon.sources")

MILLISECONDS: Final = 1000

Asked = Callable[[], Awaitable[llm.GenerationCreatedEvent]]


class RealtimeReply(Generated):
    """One response of the model, asked for by `wish` when `wait` says so, or begun by itself.

    Mutable state: the response, whether it is empty, which of its messages is being cut into texts
    and spoken, and what the model was told of its end.
    """

    def __init__(
        self,
        voice: Voice,
        tools: llm.ToolContext,
        link: Link,
        asked: Asked,
        *,
        wish: Wish,
        wait: Callable[[], Awaitable[bool]] | None,
        after_tools: Callable[[Voice], RealtimeReply],
        name: str,
        on_death: Callable[[Exception], None],
        early: bool = False,
    ) -> None:
        super().__init__(voice, llm.ChatContext.empty, tools, name=name, on_death=on_death)
        self.early = early  # the model has begun it by itself
        self.link = link
        self.wish = wish
        self.response = Response()
        self._event = asked
        self._wait = wait
        self._after_tools = after_tools
        self._number = -1
        self._empty = True
        self._stopped = False
        self._settled = False

    # What the engine reads.

    async def think(self) -> AsyncGenerator[Thought, None]:
        try:
            while True:
                while self._wait is not None and not await self._wait():
                    yield ""  # a sign of life
                async with aclosing(self._given(await self._event())) as parts:
                    async for part in parts:
                        yield part
                stopped = self._empty or _protected()  # by the user's voice, if there is one now
                if self._wait is None or not stopped or await self._wait():
                    break
        finally:
            self.response.end()
        if self._empty:
            logger.warning("the realtime model gave no words and no tool call: nothing is said")

    async def _given(self, event: llm.GenerationCreatedEvent) -> AsyncGenerator[Thought, None]:
        if event.response_id:
            self.answer.request_ids.append(event.response_id)
        async with aclosing(self.response.read(event)) as parts:
            async for part in parts:
                self._take_name()
                if isinstance(part, llm.FunctionCall):
                    self._empty = False
                    if (call := self._called(self.link.called(part))) is not None:
                        yield call
                else:
                    yield part
        self._empty = self._empty and not self.response.messages

    def _take_name(self) -> None:
        """History has the reply by the name that the model has for it."""
        if messages := self.response.messages:
            self.id = messages[0].id
            self.link.known.add(messages[-1].id)

    def chunker(self) -> Chunker:
        """For the next message; the voice comes to it next too."""
        self._number += 1
        return _Either(self)

    @property
    def spoken(self) -> bool:
        """The message has sound of its own."""
        messages = self.response.messages
        return 0 <= self._number < len(messages) and messages[self._number].spoken

    @property
    def voiced_by(self) -> Literal["tts", "llm"]:
        return "llm" if self.spoken else "tts"

    async def polish(self, chunk: str) -> str:
        return chunk if self.spoken else await super().polish(chunk)

    async def speak(self, texts: AsyncIterable[str]) -> AsyncGenerator[Sound, None]:
        """The sound of the next message, while its text is read beside it."""
        number, ledger = self._number, LEDGER.get()
        assert ledger is not None
        begin, chunk, written = ledger.queued, len(ledger.written), aiter(texts)
        async with Scope("realtime voice") as scope:
            first = scope.start(
                "text", _first(written)
            )  # the silence is the model's, not a voice's
            coming = scope.start("message", self.response.message(number))
            await asyncio.wait([first, coming], return_when=asyncio.FIRST_COMPLETED)
            if not coming.done() and not first.result():
                return  # the text is given up, and no message has come
            if (message := await coming) is None:
                await first
                return
            message.begin, message.chunk = begin, chunk
            if message.spoken:
                reading = scope.start("texts", _read(first, written))
                made = sounds(lambda: self._sound(message), self.voice.rate)
            else:
                reading, made = first, super().speak(_chained(first, written))
            async with aclosing(made):
                async for sound in made:
                    yield sound
            await reading
            message.end = ledger.queued

    def _sound(self, message: Message) -> object:
        agent, settings = self.voice.agent, self.voice.settings
        return agent.realtime_audio_output_node(message.frames(), settings)

    def next(
        self, settings: ModelSettings, refreshed: Callable[[llm.ChatContext, Told], llm.ChatContext]
    ) -> RealtimeReply:
        following = self._after_tools(replace(self.voice, settings=settings))
        following.modality = self.modality
        return following

    # Its end.

    @property
    def stopped(self) -> bool:
        """It was ended before its end."""
        return self._stopped

    def stop(self) -> None:
        """It is over: the model need not go on with it. May be called again."""
        if not self._stopped:
            self._stopped = True
            if self.response.under_way:
                self.link.interrupt()

    def settled(self, step: Step) -> None:
        """It was cut, and this is what was heard of it: the model is told."""
        if self._settled:
            return
        self._settled = True
        heard = step.playout.heard if step.playout else 0
        rate = step.ledger.rate
        for message, text in zip(self.response.messages, self._texts(step), strict=True):
            if step.playout is None and text.strip():
                self.link.truncate(message.id, False, 0, text)  # it was read
            elif message.begin is None or heard <= message.begin:
                self.link.forget(message.id)
            elif message.end is None or heard < message.end:
                milliseconds = MILLISECONDS * (heard - message.begin) // rate
                self.link.truncate(message.id, message.spoken, milliseconds, text)

    def messages(self, step: Step) -> list[tuple[str, str]]:
        """What history gets of it: for each of the model's messages, its name and its text."""
        texts = self._texts(step)
        named = [(m.id, text) for m, text in zip(self.response.messages, texts, strict=True)]
        return named or super().messages(step)

    def _texts(self, step: Step) -> list[str]:
        """What was heard of each of the model's messages."""
        said, begun = step.said(), [m for m in self.response.messages if m.begin is not None]
        if not begun:  # nobody speaks here: all of it is shown
            return [said, *("" for _ in self.response.messages)][: len(self.response.messages)]
        begins = [len("".join(step.ledger.written[: m.chunk])) for m in begun]
        ends = [*begins[1:], len(said)][: len(begins)]
        texts = [said[begin:end] for begin, end in zip(begins, ends, strict=True)]
        return texts + [""] * (len(self.response.messages) - len(texts))


class _Either:
    """A chunker for text that has sound of its own, or a voice's; which of them, the text tells."""

    def __init__(self, source: RealtimeReply) -> None:
        self._source = source
        self._inner: Chunker | None = None

    def push(self, text: str, now: float) -> None:
        if not text:
            return
        if self._inner is None:
            self._inner = Uncut() if self._source.spoken else self._source.voice.chunker()
        self._inner.push(text, now)

    def flush(self) -> None:
        if self._inner is not None:
            self._inner.flush()

    def take(self, now: float, slack: float) -> str | None:
        return self._inner.take(now, slack) if self._inner is not None else None

    def wait(self, now: float, slack: float) -> float | None:
        return self._inner.wait(now, slack) if self._inner is not None else None


def _protected() -> bool:
    reply = SPEAKING.get()
    return reply is not None and reply.kind.protected


async def _first(written: AsyncIterator[str]) -> list[str]:
    """The first text, if there is one."""
    try:
        return [await anext(written)]
    except StopAsyncIteration:
        return []


async def _read(first: asyncio.Task[list[str]], written: AsyncIterator[str]) -> list[str]:
    """Read texts that no voice waits for, so that they count as handed out."""
    await first
    return [text async for text in written]


async def _chained(
    first: asyncio.Task[list[str]], written: AsyncIterator[str]
) -> AsyncGenerator[str, None]:
    for text in await first:
        yield text
        async for following in written:
            yield following
