"""What a realtime model hears of the user, and which turns the turn machine is told of.

Nobody but the model may hear the words. The turn machine is given a stand-in for them then: over a
reply that is heard, of a voice that is too long for a cough, else of any.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import vad

from antiphon.pipeline import observations as o
from antiphon.pipeline.turn_table import Floor, User
from antiphon.realtime_words import MOMENT, RealtimeWords
from antiphon.unheard import known, recognised, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from livekit import rtc
    from livekit.agents import llm

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.realtime import Realtime
    from antiphon.realtime_link import Link

HELD: Final = 12_000  # frames that the model may hear later: two minutes or more
NOTICED: Final = 0.5  # seconds in which a model notices a voice in what it hears at the end
LASTS: Final = 0.5  # seconds of voice over a reply that are words and no cough, where nobody knows


class RealtimeEars:
    """Mutable state: the voice that is heard, or was heard last; the turns and their words; the
    last one, until it is answered; whether the application ends this one; and what it is to hear
    later."""

    def __init__(self, conversation: Conversation, seat: Realtime) -> None:
        self.turn: int | None = None  # committed, and not answered yet
        self._conversation = conversation
        self._seat = seat
        self._loop = asyncio.get_running_loop()
        self._number = 0
        self._voice_at: float | None = None
        self._lasting: asyncio.TimerHandle | None = None
        self._news: asyncio.Handle | None = None  # of a voice
        self.words = RealtimeWords(conversation, seat)
        self._turns = self.words.turns
        self._held: deque[rtc.AudioFrame] = deque(maxlen=HELD)
        self._by_hand = False
        self._unnoticed: float | None = None  # a voice of which the model has said nothing
        self.handlers: dict[str, Callable[..., None]] = {
            "input_speech_started": self._on_started,
            "input_speech_stopped": self._on_stopped,
            **self.words.handlers,
        }

    def note(self, seen: o.Observation) -> None:
        """What the turn machine was told matters to the model too."""
        link = self._seat.link
        if isinstance(seen, o.Clear):
            self._held.clear()
        if link is None:
            return
        if isinstance(seen, o.Gone | o.Working):
            link.agree(self._conversation.agent._chat_ctx)
        elif isinstance(seen, o.Clear):
            self.words.forget()
            link.clear()
            self.ceases()
        elif not self._seat.detecting:
            self._detected(link, seen)

    def _detected(self, link: Link, seen: o.Observation) -> None:
        """Our detector was told of."""
        match seen:
            case o.VoiceStarted():
                link.stirs()
                self._voice(seen.at)
                if self._alone:
                    lasts = max(self._loop.time(), seen.at + self._needed)
                    self._lasting = self._loop.call_at(lasts, self._lasted)
            case o.VoiceStopped() if self._voice_at is not None:
                began, self._voice_at = self._voice_at, None
                heard = self._lasting is None  # words of it are heard already
                self._silent()
                if self._alone and (heard or seen.at >= began + self._needed - MOMENT):
                    self._hear(final=True)
                elif self._alone and not self._conversation.machine.text:
                    self.words.drop()  # a cough

    def hear(self, frame: rtc.AudioFrame) -> None:
        """Let the model hear that. A detector of its own would end a reply that must not be
        interrupted, so it hears then what was said meanwhile."""
        link, seat = self._seat.link, self._seat
        if link is None:
            self._held.clear()
            return
        self._held.append(frame)
        guarded = self._conversation.machine.floor in (Floor.GUARDED, Floor.PROTECTED)
        if not (guarded and seat.detecting and not seat.overlaps):
            self._let_hear(link)

    def _let_hear(self, link: Link) -> None:
        while self._held:
            link.push_audio(self._held.popleft())

    @property
    def _needed(self) -> float:
        """Seconds of voice that are words."""
        unheard = (Floor.FREE, Floor.WORKING, Floor.WAITING, Floor.STAYED)
        return 0.0 if self._conversation.machine.floor in unheard else LASTS

    def _voice(self, at: float) -> None:
        self._silent()
        self._voice_at = at
        self._number += 1
        self._turns.voice(at, each=self._seat.detecting)

    def _silent(self) -> None:
        if self._lasting is not None:
            self._lasting.cancel()
            self._lasting = None

    def _lasted(self) -> None:
        self._lasting = None
        if self._alone:  # still
            self._hear(final=False)

    def _hear(self, *, final: bool) -> None:
        """There are words, and only the model knows which."""
        said, number = stand_in(self._number), self.words.number
        self._conversation.observe(o.Transcript(said, final, recogniser=number))

    def ceases(self) -> None:
        """The voice that the model has told of is over, whether or not it says so."""
        if self._seat.detecting and self._voice_at is not None:
            self._voice_at = None
            self._conversation.observe(o.VoiceStopped(self._loop.time()))

    def asked_for(self) -> None:
        """The application ends the user's turn: there is one, whoever has heard it."""
        self._by_hand = self._seat.detecting
        if self._by_hand:
            self.ceases()
        elif not self._alone or self._conversation.machine.text:
            return
        if not self._turns.open:
            self._number += 1
            self._turns.voice(self._loop.time(), each=False)
        self._hear(final=True)

    def committed(self, commit: o.Commit) -> o.Commit:
        """The user's turn is over, by our detector or the model's, which answers it itself."""
        link, by_hand, self._by_hand = self._seat.link, self._by_hand, False
        ours, text = by_hand or not self._seat.detecting, known(commit.text)
        if link is not None and ours:
            link.commit()
        self.words.over()
        answered = not ours and text != commit.text  # by the model, which has heard it
        return replace(commit, text=text, answer=commit.answer and not answered)

    def has_heard(self, message: llm.ChatMessage, turn: int) -> None:
        """The model knows that turn as sound, unless its words come from who heard it before."""
        self.turn, beside = turn, not (self._alone or self._seat.detecting)
        if self._seat.link is not None and (beside or not message.text_content):
            self._seat.link.known.add(message.id)

    def kept(self) -> None:
        """The user has said something that is no turn."""
        self.words.drop()
        if self._seat.link is not None and not self._seat.detecting:
            self._seat.link.clear()

    @property
    def hearing(self) -> bool:
        """The user's turn is not over."""
        return self._turns.open is not None and self._conversation.machine.unfinished

    @property
    def _alone(self) -> bool:
        """Nobody but the model hears words."""
        return self._seat.link is not None and not recognised(self._conversation.agent)

    def left(self, link: Link, agent: Agent, *, detecting: bool) -> Coroutine[Any, Any, None]:
        """Others hear the user from now on. What that model has heard it may still tell, while this
        is awaited."""
        talk, leaver = self._conversation, self.words.leaver(link, agent)
        self._end_turn(link, detecting=detecting)
        self._turns.over(self._loop.time())
        if detecting and self._voice_at is not None:
            self._voice_at = None
            talk.observe(o.VoiceStopped(self._loop.time()))
        if talk.machine.text and not known(talk.machine.text):
            talk.observe(o.Clear())
        leaver.hands_on()
        return self.words.last_of(leaver)

    def _end_turn(self, link: Link, *, detecting: bool) -> None:
        """Nothing more of the turn comes: whoever has heard it so far is to make words of it."""
        if self._turns.open and (self._voice_at is not None or not detecting):
            link.commit()
        if self._voice_at is not None:
            self._turns.broken_off()

    async def last_words(self, timeout: float) -> None:
        """Let the models finish the words of what they have heard, for so many seconds. A model
        that was to hear later what was said now hears it, and notices a voice in it, or none."""
        if (link := self._seat.link) is not None:
            noticed = self._loop.time() + (NOTICED if self._held else 0.0)
            self._let_hear(link)
            while self._turns.open is None and self._loop.time() < noticed:
                await self._conversation.moved(noticed)
            self._end_turn(link, detecting=self._seat.detecting)
        await self.words.last_words(timeout)

    def finish(self) -> None:
        """Nobody listens any more."""
        self._silent()
        self.words.finish()
        self.unannounced()

    # What the model reports.

    def _on_started(self, _: object) -> None:
        """There is a voice, unless a reply follows in the same moment: Gemini's plugin announces
        each reply that it was not asked for as if somebody spoke."""
        self.notices()
        if self._seat.detecting:  # else our detector has noticed, or will
            self._news = self._loop.call_soon(self._starts)

    def _starts(self) -> None:
        talk, now, self._news = self._conversation, self._loop.time(), None
        self._voice(now)
        talk.observe(o.VoiceStarted(now, answers=True))
        if not self._seat.overlaps:
            self._hear(final=False)

    def witness(self, edge: vad.VADEvent) -> None:
        """Our detector beside the model's has heard a voice, while nobody spoke; or its end."""
        talk = self._conversation
        if edge.type is vad.VADEventType.START_OF_SPEECH:
            free = talk.machine.floor is Floor.FREE and talk.machine.user is User.QUIET
            self._unnoticed = self._loop.time() if free else None
        elif edge.type is vad.VADEventType.END_OF_SPEECH and self._unnoticed is not None:
            began, self._unnoticed = self._unnoticed, None
            talk.faults.unnoticed(self._loop.time() - began)

    def notices(self) -> None:
        """The model tells something of what it hears."""
        self._unnoticed = None
        self._conversation.faults.understood()

    def unannounced(self) -> bool:
        """Is there a voice that nobody was told of? Nobody will be."""
        news, self._news = self._news, None
        if news is not None:
            news.cancel()
        return news is not None

    def answered(self) -> None:
        """The model answers by itself: it has heard the user out, though it may say so later."""
        self._by_hand = False
        self.notices()
        if not self._seat.overlaps:
            self._on_stopped()
        if self._conversation.machine.text:
            self._conversation.observe(o.CommitNow())

    def _on_stopped(self, _: object = None) -> None:
        if self.unannounced():
            self._starts()
        if not self._seat.detecting or self._voice_at is None:
            return
        self._voice_at = None
        self._conversation.observe(o.VoiceStopped(self._loop.time()))
        if self._seat.overlaps:
            self.words.over()  # nobody commits it
        else:
            self._hear(final=True)

    def reconnected(self) -> None:
        """What the last line owed comes no more, and a voice of which it told has ended."""
        self.ceases()
        self._turns.lost()
