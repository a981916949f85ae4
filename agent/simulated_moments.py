"""The moments of a simulated call, and waiting for them: a word is heard, the agent has finished.

Every wait ends after `patience` seconds at the latest, with a message that says what was said
instead. What is looked at of a session's inside is looked at here (`busy`, `said`).
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING, Final

import numpy as np

from antiphon.nodes.outputs import Paced
from antiphon.pipeline.strays import waiting
from antiphon.simulated_acts import GAP, When
from antiphon.simulated_models import ScriptError, Voice
from antiphon.simulated_notes import Notes
from antiphon.task import AgentTask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from antiphon.agent import Agent
    from antiphon.pipeline.timeline import Record
    from antiphon.speech import SpeechHandle

PATIENCE: Final = 300.0  # seconds an agent may take to finish
LOOK: Final = 0.05  # seconds between two looks at a session that is busy and reports nothing
READ: Final = 0.01  # and at what was heard of a voice that is not scripted


class Moments(Notes):
    """Mutable state: the speech that is being heard, what is waited for, and who has hung up."""

    def __init__(self, voice: Voice, patience: float) -> None:
        super().__init__()
        self.voice = voice
        self.patience = patience
        self._words: list[str] = []  # of the scripted voice, heard to their last sample
        self._speaking = 0.0  # until when the caller speaks and is understood, in loop time
        self._left = False
        self._speech: int | None = None  # the reply that is being heard
        self._began = 0.0  # when it was first heard, in loop time
        self._from = 0  # how many words were heard before it
        self._wanted: list[str] = []  # the words that are waited for
        self._came = False
        self._last = 0.0  # when something was last reported, in loop time
        self._tasks: list[tuple[Agent, set[SpeechHandle]]] = []  # in charge, and who waits for them
        self._news: asyncio.Future[None] | None = None

    @property
    def heard(self) -> list[str]:
        """The words of the scripted voice whose last sample was played, in that order."""
        voice = self.voice
        return [voice.made[n - 1] for n, count in self.runs() if count == voice.lengths[n - 1]]

    @property
    def over(self) -> bool:
        """Somebody has hung up."""
        return self._left or bool(self.reported("close"))

    @property
    def busy(self) -> bool:
        """Somebody is speaking, or something is on its way to being said."""
        talk = self.session.conversation
        return bool(
            self._speaking > self._loop.time()
            or talk.machine.unfinished
            or talk.answers.busy
            or talk.tools.busy
            or talk.speaking.in_line()
            or set(talk.speaking.unfinished()) - self._waiting()
        )

    def _waiting(self) -> set[SpeechHandle]:
        """The speeches that wait for the task in charge, and so for the caller."""
        return self._tasks[-1][1] if self._tasks else set()

    def _handed_over(self) -> None:
        talk = self.session.conversation
        agent = self.session.current_agent
        seated = [task for task, _ in self._tasks]
        if agent in seated:  # it is in charge again
            del self._tasks[seated.index(agent) + 1 :]
        elif isinstance(agent, AgentTask):
            # Asked from inside the speech that waits, the session would leave that one out.
            waiting_for = Context().run(talk.speaking.unfinished)
            self._tasks.append((agent, set(waiting_for)))
        else:
            self._tasks.clear()

    async def _moment(self, when: When, what: str) -> None:
        if when.word is not None:
            await self._word(when.word, what)
        elif when.into is not None:
            await self._into(when.into, what)
        elif when.gap is not None:
            await self._quiet(when.gap, f"the caller was to do {what}")

    async def _quiet(self, gap: float, why: str) -> None:
        """Wait until nothing has been said, and nothing was to be said, for `gap` seconds."""
        ends = self._loop.time() + self.patience
        while not self.over and not self._silent(gap):
            if self._loop.time() >= ends:
                at_it = "\n  ".join(waiting(asyncio.all_tasks()))
                raise self._wrong(
                    f"the agent had not finished {self.patience:g} s after {why}. "
                    f"It is {self.session.agent_state}. What runs:\n  {at_it}\n"
                )
            quiet = self._last + gap
            await self._wait(quiet if quiet > self._loop.time() else self._loop.time() + LOOK)

    def _silent(self, gap: float) -> bool:
        return self._loop.time() >= self._last + gap and not self.busy

    async def _word(self, phrase: str, what: str) -> None:
        """Wait until the agent has said `phrase` in what it is saying now, or says next."""
        self._wanted, self._came = _plain(phrase.split()), False
        ends = self._loop.time() + self.patience
        self._look()
        while not self._came and not self._left:
            if self.over or self._silent(GAP) or self._loop.time() >= ends:
                self._wanted = []
                raise self._wrong(
                    f"{what} was to come when the agent had said {phrase!r}, and it never said that"
                )
            await self._wait(self._loop.time() + (LOOK if self.voice.made else READ))
            self._look()
        self._wanted = []

    async def _into(self, seconds: float, what: str) -> None:
        """Wait until the agent has been speaking for so long."""
        ends = self._loop.time() + self.patience
        while self._speech is None and not self._left:
            if self.over or self._silent(GAP) or self._loop.time() >= ends:
                raise self._wrong(f"{what} was to come while the agent speaks, and it said nothing")
            await self._wait(self._loop.time() + LOOK)
        speech, due = self._speech, self._began + seconds
        while self._loop.time() < due and not self._left:
            if self._speech != speech:
                lasted = self._last - self._began
                raise self._wrong(
                    f"{what} was to come {seconds:g} s into the agent's speech, "
                    f"which lasted {lasted:.2f} s"
                )
            await self._wait(due)

    async def _pause(self, until: float) -> None:
        while self._loop.time() < until and not self._left:
            await self._wait(until)

    async def _wait(self, until: float) -> None:
        """Wait for news, until that loop time at most."""
        self._news = self._loop.create_future()
        timer = self._loop.call_at(until, self.wake)
        await self._news
        timer.cancel()

    def wake(self) -> None:
        """There is news for whoever waits."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _wrong(self, why: str) -> ScriptError:
        now = self._loop.time() - self.start
        return ScriptError(f"{why}.\nWhat was said until {now:.2f} s:\n{self}")

    # What is heard.

    def note(self, record: Record) -> None:
        super().note(record)
        self._last = self._loop.time()
        if record.kind == "audible" and record.reply != self._speech:
            self._speech, self._began, self._from = record.reply, self._last, len(self._words)
        elif record.kind == "gone":
            self._speech = None
        elif record.kind == "handoff":
            self._handed_over()
        self.wake()

    def word_heard(self, word: str) -> None:
        """The last sample of a word was played."""
        self._words.append(word)
        self._look()
        if self._came:
            self.wake()

    def _look(self) -> None:
        if not self._wanted or self._came or self._speech is None:
            return
        if self.voice.made:
            said = self._words[self._from :]
        else:  # another voice: the session's account of it
            talk = self.session.conversation
            reply = talk.speaking.with_gen(talk.machine.gen)
            said = reply.step.said().split() if reply is not None else []
        self._came = _within(self._wanted, _plain(said))

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()


class Ear(Paced):
    """What the caller hears; it knows when a word of the scripted voice has been heard.

    Mutable state: how much was heard, and how much was written, of the word that is under way.
    """

    def __init__(self, call: Moments, rate: int) -> None:
        super().__init__(rate=rate, label="simulated caller", on_played=self._on_played)
        self._call = call
        self._under_way = (0, 0)  # the word's number, and its samples heard

    def write(self, pcm: memoryview) -> None:
        super().write(pcm)
        if self._call.voice.made:
            loop = asyncio.get_running_loop()
            ends = loop.time() + self.held() / self.rate
            for last in (*np.flatnonzero(np.diff(pcm)).tolist(), len(pcm) - 1):
                # The last sample of a word: it may be over then.
                loop.call_at(ends - (len(pcm) - 1 - last) / self.rate, self.held)

    def _on_played(self, began: float, pcm: memoryview) -> None:
        call = self._call
        call.note_sound(began, pcm)
        voice = call.voice
        if not voice.made:
            return
        number, count = self._under_way
        for value in pcm.tolist():
            number, count = (value, 1) if value != number else (number, count + 1)
            if 0 < number <= len(voice.made) and count == voice.lengths[number - 1]:
                call.word_heard(voice.made[number - 1])
        self._under_way = number, count


def _plain(texts: Iterable[str]) -> list[str]:
    """Words without marks and capitals."""
    kept = ("".join(c for c in text.casefold() if c.isalnum()) for text in texts)
    return [text for text in kept if text]


def _within(wanted: list[str], said: list[str]) -> bool:
    return any(said[n : n + len(wanted)] == wanted for n in range(len(said) - len(wanted) + 1))
