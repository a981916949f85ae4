"""What a realtime model makes of the user's voice: words, told late, in history where the turn
began.

A model that is replaced hears nothing more, and may still tell what it has heard: what it tells is
waited for a moment, and at the end of the session as well.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from livekit.agents import llm

from antiphon.pipeline import observations as o
from antiphon.realtime_link import LAST
from antiphon.realtime_turns import HeardTurns, Words
from antiphon.unheard import recognised

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.realtime import Realtime
    from antiphon.realtime_link import Link

MOMENT: Final = 1e-6  # seconds that are none
TOLD: Final = "input_audio_transcription_completed"


class RealtimeWords:
    """Mutable state: the user's turns; words that are not final, and those of a turn that is not
    over; the models that have left and may tell more; and whether somebody waits for that."""

    def __init__(self, conversation: Conversation, seat: Realtime) -> None:
        self.turns = HeardTurns()
        self.number = 0  # of the recogniser that the model is
        self._conversation = conversation
        self._seat = seat
        self._loop = asyncio.get_running_loop()
        self._interim: Words | None = None
        self._early: list[tuple[Words, float | None]] = []
        self._leavers: list[Leaver] = []
        self._news: asyncio.Future[None] | None = None
        self.handlers: dict[str, Callable[..., None]] = {
            TOLD: self._on_transcript,
            "remote_item_added": self._on_item,
        }

    def told(self, said: Words, *, final: bool) -> None:
        """What the user said, from a model that ends turns by itself, or tells it later."""
        talk = self._conversation
        talk.transcribed(said.text, final=final, language=None, item=said.item)
        talk.session.deliver()
        talk.faults.understood()
        self._interim = None if final else said
        if not final:
            return
        turn = self.turns.of(said.item, self._since(said))
        if turn is not None and turn is self.turns.open:
            self._early.append((said, self._come(said)))  # for whoever answers them
        else:
            self._settle()  # words come in the order they were said
            self.write(said, talk.agent)

    def over(self) -> None:
        """The turn is over."""
        self._settle()
        self.turns.over(self._loop.time())

    def drop(self) -> None:
        """It was no turn; words are words all the same."""
        self._settle()
        self.turns.drop()

    def forget(self) -> None:
        """The application throws the turn away."""
        self._early.clear()
        self.turns.drop()

    def _settle(self) -> None:
        early, self._early = self._early, []
        for said, began in early:
            self._write(said, self._conversation.agent, began)

    def unfinished(self, item: llm.ChatItem) -> bool:
        """It is of a turn that is not over."""
        return self.turns.open is not None and item.id in self.turns.open.items

    def _since(self, said: Words) -> float | None:
        """When they were begun (loop time), where the model tells that."""
        now = self._conversation.memory.wall()
        return self._loop.time() - (now - said.at) if said.at else None

    def leaver(self, link: Link, agent: Agent) -> Leaver:
        """Others hear the user from now on."""
        interim, self._interim = self._interim, None
        early, self._early = [said for said, _ in self._early], []
        self._leavers.append(Leaver(self, self._conversation, link, agent, interim, early))
        return self._leavers[-1]

    async def last_of(self, leaver: Leaver) -> None:
        """Wait for what that model may still tell."""
        await self._paid(lambda: self._owed(leaver.link, leaver.agent, leaver.interim), LAST)
        if leaver in self._leavers:
            self._leavers.remove(leaver)
            leaver.ends()

    def write(self, said: Words, agent: Agent) -> None:
        """Put words into history that have come."""
        self._write(said, agent, self._come(said))

    def _come(self, said: Words) -> float | None:
        """Those words were owed; when their turn began, where that is known."""
        began = self.turns.worded(said.item, self._since(said))
        self.tell()
        return began

    def _write(self, said: Words, agent: Agent, began: float | None) -> None:
        """Where their turn began; a model may tell them twice."""
        talk, text = self._conversation, said.text.strip()
        told = agent._chat_ctx.get_by_id(said.item) if said.item is not None else None
        if isinstance(told, llm.ChatMessage):
            before = told.text_content or ""
            if text and text != before:  # all of it, or more of it
                told.content = [text if text.startswith(before) else f"{before} {text}"]
                talk.written(told, None)
            return
        if not text:
            return
        message = talk.memory.user_message(text)
        message.transcript_confidence = said.confidence
        if said.item is not None:
            message.id = said.item
        if began is not None:
            message.created_at = talk.memory.wall(began) - MOMENT  # before an answer of that moment
            message.metrics["started_speaking_at"] = talk.memory.wall(began)
        elif said.at:
            message.created_at = min(said.at, message.created_at)
        if self._seat.link is not None:
            self._seat.link.known.add(message.id)
        talk.write(message, agent)

    def tell(self) -> None:
        """Whoever waits for words may look again."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def last_words(self, timeout: float) -> None:
        """Let the models finish the words of what they have heard, for so many seconds."""
        await self._paid(self._owing, timeout)

    def _owing(self) -> bool:
        link, agent = self._seat.link, self._conversation.agent
        mine = link is not None and self._owed(link, agent, self._interim)
        return mine or any(
            self._owed(each.link, each.agent, each.interim) for each in self._leavers
        )

    def _owed(self, link: Link, agent: Agent, interim: Words | None) -> bool:
        """Words may still come."""
        if link.dead is not None or recognised(agent):
            return False
        tells = link.can.user_transcription
        return interim is not None or (tells and self.turns.owes(self._loop.time()))

    async def _paid(self, owing: Callable[[], bool], timeout: float) -> None:
        ends = self._loop.time() + timeout
        while owing() and (left := ends - self._loop.time()) > 0:
            if self._news is None or self._news.done():
                self._news = self._loop.create_future()
            await asyncio.wait([self._news], timeout=left)

    def finish(self) -> None:
        """Nobody listens any more: what is known of the last words is all of them."""
        leavers, self._leavers = self._leavers, []
        for leaver in leavers:
            leaver.finish()
        self._settle()
        interim, self._interim = self._interim, None
        if interim is not None:
            self.write(interim, self._conversation.agent)

    # What the model reports.

    def _on_transcript(self, event: llm.InputTranscriptionCompleted) -> None:
        if not recognised(self._conversation.agent):
            self.told(Words.told(event), final=event.is_final)

    def _on_item(self, event: llm.RemoteItemAddedEvent) -> None:
        item, link = event.item, self._seat.link
        if link is None or not isinstance(item, llm.ChatMessage) or item.role != "user":
            return
        shown = any(isinstance(part, llm.ImageContent) for part in item.content)
        if item.id not in link.known and not shown:
            link.known.add(item.id)
            self.turns.named(item.id, self._loop.time())


class Leaver:
    """A model that hears the user no more. A turn that was not over when it left is the next
    agent's to answer.

    Mutable state: the words that it has told and that are not final, and those of that turn.
    """

    def __init__(
        self,
        words: RealtimeWords,
        conversation: Conversation,
        link: Link,
        agent: Agent,
        interim: Words | None,
        early: list[Words],
    ) -> None:
        self.link = link
        self.agent = agent
        self.interim = interim
        self._words = words
        self._conversation = conversation
        self._number = words.number
        self._unfinished = words.turns.open
        self._early = early
        if not recognised(agent):
            link.session.on(TOLD, self._told)

    def hands_on(self) -> None:
        """The next agent hears what it has told of that turn."""
        early, self._early = self._early, []
        for said in early:
            self._hand_on(said)

    def _told(self, event: llm.InputTranscriptionCompleted) -> None:
        said = Words.told(event)
        self.interim = None if event.is_final else said
        if event.is_final:
            self._take(said)

    def _take(self, said: Words) -> None:
        words = self._words
        if self._unfinished is None or words.turns.of(said.item) is not self._unfinished:
            words.write(said, self.agent)
        else:
            words.turns.worded(said.item)
            words.tell()
            self._hand_on(said)

    def _hand_on(self, said: Words) -> None:
        self._conversation.observe(o.Transcript(said.text, final=True, recogniser=self._number))

    def ends(self) -> None:
        """What it has told is all that is known of its words."""
        self.link.session.off(TOLD, self._told)
        interim, self.interim = self.interim, None
        if interim is not None:
            self._take(interim)

    def finish(self) -> None:
        """And nobody will answer them."""
        self._unfinished = None
        self.ends()
