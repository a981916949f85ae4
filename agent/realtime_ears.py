"""What the user says to a realtime model: turns told to the turn machine, words told to history.

Nobody but the model may hear the words. The turn machine is given a stand-in for them then: over a
reply that is heard, of a voice that is too long for a cough, else of any. What the model makes of
them comes late, and is written where the turn began.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from livekit.agents import llm

from antiphon.pipeline import observations as o
from antiphon.pipeline.turn_table import Floor
from antiphon.realtime_turns import HeardTurns
from antiphon.unheard import known, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit import rtc

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.realtime import Realtime
    from antiphon.realtime_link import Link

MOMENT: Final = 1e-6  # seconds that are none
HELD: Final = 12_000  # frames that the model may hear later: two minutes or more
LASTS: Final = 0.5  # seconds of voice over a reply that are words and no cough, where nobody knows


def recognised(agent: Agent) -> bool:
    """Somebody beside the model hears words."""
    return agent.stt is not None or agent._overrides("stt_node")


class RealtimeEars:
    """Mutable state: the voice that is heard, or was heard last; the turns; the last one, until it
    is answered; the words that are not final, and whether somebody waits for that; and what the
    model is to hear later."""

    def __init__(self, conversation: Conversation, seat: Realtime) -> None:
        self.turn: int | None = None  # committed, and not answered yet
        self._conversation = conversation
        self._seat = seat
        self._loop = asyncio.get_running_loop()
        self._number = 0
        self._voice_at: float | None = None
        self._lasting: asyncio.TimerHandle | None = None
        self._news: asyncio.Handle | None = None  # of a voice
        self._turns = HeardTurns()
        self._held: deque[rtc.AudioFrame] = deque(maxlen=HELD)
        self._interim: tuple[str, str | None] | None = None
        self._final: asyncio.Future[None] | None = None
        self.handlers: dict[str, Callable[..., None]] = {
            "input_speech_started": self._on_started,
            "input_speech_stopped": self._on_stopped,
            "input_audio_transcription_completed": self._on_transcript,
            "remote_item_added": self._on_item,
        }

    def note(self, seen: o.Observation) -> None:
        """What the turn machine was told matters to the model too."""
        link = self._seat.link
        if link is not None and isinstance(seen, o.Gone | o.Working):
            link.agree(self._conversation.agent._chat_ctx)
        if isinstance(seen, o.Clear):
            self._held.clear()
        if link is None or self._seat.detecting:
            return
        match seen:
            case o.VoiceStarted():
                link.stirs()
                self._voice(seen.at)
                if self._alone:
                    lasts = max(self._loop.time(), seen.at + self._needed)
                    self._lasting = self._loop.call_at(lasts, self._lasted)
            case o.VoiceStopped() if self._voice_at is not None:
                began, self._voice_at = self._voice_at, None
                self._silent()
                if self._alone and seen.at >= began + self._needed - MOMENT:
                    self._hear(final=True)
                elif self._alone and not self._conversation.machine.text:
                    self._turns.drop()  # a cough
            case o.Clear():
                self._turns.drop()
                link.clear()

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
        self._turns.voice(at)

    def _silent(self) -> None:
        if self._lasting is not None:
            self._lasting.cancel()
            self._lasting = None

    def _lasted(self) -> None:
        self._lasting = None
        self._hear(final=False)

    def _hear(self, *, final: bool) -> None:
        """There are words, and only the model knows which."""
        self._conversation.observe(o.Transcript(stand_in(self._number), final))

    def asked_for(self) -> None:
        """The application ends the user's turn: there is one, whoever has heard it."""
        if self._alone and not self._seat.detecting and not self._conversation.machine.text:
            self._number += 1
            self._hear(final=True)

    def committed(self, commit: o.Commit) -> o.Commit:
        """The user's turn is over, by our detector or the model's, which answers it itself."""
        link, detects = self._seat.link, self._seat.detecting
        if link is None:
            return commit
        if not detects:
            link.commit()
        self._turns.over()
        answer = commit.answer and not detects
        return replace(commit, text=known(commit.text), answer=answer)

    def has_heard(self, message: llm.ChatMessage, turn: int) -> None:
        """The words of that turn, which the model knows as sound."""
        self.turn = turn
        if self._seat.link is not None:
            self._seat.link.known.add(message.id)

    def kept(self) -> None:
        """The user has said something that is no turn."""
        self._turns.drop()
        if self._seat.link is not None and not self._seat.detecting:
            self._seat.link.clear()

    @property
    def _alone(self) -> bool:
        """Nobody but the model hears words."""
        return self._seat.link is not None and not recognised(self._conversation.agent)

    def words(self, text: str, *, final: bool, item: str | None = None, at: float = 0.0) -> None:
        """What the user said, from a model that ends turns by itself, or tells it later. `at` is a
        time of day, where it is known."""
        talk, link = self._conversation, self._seat.link
        if link is None:
            return
        talk.transcribed(text, final=final, language=None)
        talk.faults.understood()
        self._interim = None if final else (text, item)
        if final:
            if self._final is not None and not self._final.done():
                self._final.set_result(None)
            self._write(link, text, item, at)

    def _write(self, link: Link, text: str, item: str | None, at: float = 0.0) -> None:
        """Put words into history, where their turn began."""
        talk = self._conversation
        if not text.strip():
            return
        since = self._loop.time() - (talk.memory.wall() - at) if at else None
        began = self._turns.worded(item, since)
        message = talk.memory.user_message(text.strip())
        if item is not None:
            message.id = item
        if began is not None:
            message.created_at = talk.memory.wall(began) - MOMENT  # before an answer of that moment
        elif at:
            message.created_at = min(at, message.created_at)
        link.known.add(message.id)
        talk.write(message, talk.agent)

    async def last_words(self, timeout: float) -> None:
        """Let the model finish the words of which it has told some, for so many seconds."""
        link = self._seat.link
        if link is None or link.dead is not None or self._interim is None:
            return
        self._final = self._loop.create_future()
        if not self._seat.detecting:
            link.commit()
        await asyncio.wait([self._final], timeout=timeout)

    def finish(self) -> None:
        """Nobody listens any more: what is known of the last words is all of them."""
        self._silent()
        interim, self._interim = self._interim, None
        if interim is not None and self._seat.link is not None:
            self._write(self._seat.link, *interim)
        self.unannounced()

    # What the model reports.

    def _on_started(self, _: object) -> None:
        """There is a voice, unless a reply follows in the same moment: Gemini's plugin announces
        each reply that it was not asked for as if somebody spoke."""
        if self._seat.detecting:  # else our detector has noticed, or will
            self._news = self._loop.call_soon(self._starts)

    def _starts(self) -> None:
        talk, now, self._news = self._conversation, self._loop.time(), None
        self._voice(now)
        talk.observe(o.VoiceStarted(now, answers=True))
        if not self._seat.overlaps:
            self._hear(final=False)

    def unannounced(self) -> bool:
        """Is there a voice that nobody was told of? Nobody will be."""
        news, self._news = self._news, None
        if news is not None:
            news.cancel()
        return news is not None

    def answered(self) -> None:
        """The model answers by itself: it has heard the user out, though it may say so later."""
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
            self._turns.over()  # nobody commits it
        else:
            self._hear(final=True)

    def reconnected(self) -> None:
        """What the last line owed does not come any more."""
        self._turns.lost()

    def _on_transcript(self, event: llm.InputTranscriptionCompleted) -> None:
        if self._alone:
            at = event.turn_started_at or 0.0
            self.words(event.transcript, final=event.is_final, item=event.item_id, at=at)

    def _on_item(self, event: llm.RemoteItemAddedEvent) -> None:
        item, link = event.item, self._seat.link
        if link is None or not isinstance(item, llm.ChatMessage) or item.role != "user":
            return
        shown = any(isinstance(part, llm.ImageContent) for part in item.content)
        if item.id not in link.known and not shown:
            link.known.add(item.id)
            self._turns.named(item.id)
