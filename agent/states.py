"""The agent's and the user's states as the application sees them, and the captions."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from antiphon.events import (
    AgentFalseInterruptionEvent,
    AgentStateChangedEvent,
    UserStateChangedEvent,
)
from antiphon.pipeline.streams import Scope, Stream
from antiphon.sources import Said

if TYPE_CHECKING:
    from livekit.agents import io

    from antiphon.conversation import Conversation

logger = logging.getLogger("antiphon.states")

LAST_WORDS: Final = 0.5  # seconds a text output has for them when the session closes


class States:
    """Mutable state: the two states, the timer after which a silent user is away, and the agent's
    state that is told in a moment, unless another comes first."""

    def __init__(self, conversation: Conversation) -> None:
        self.agent = "initializing"
        self.user = "listening"
        self._conversation = conversation
        self._away: asyncio.TimerHandle | None = None
        self._settled: asyncio.Future[None] | None = None
        self._coming: str | None = None

    def hold(self) -> None:
        """A speech begins or ends, and another may follow at once: what the agent is then shows
        when that is done."""
        if self._settled is None:
            loop = asyncio.get_running_loop()
            self._settled = loop.create_future()
            loop.call_soon(self._settle, self._settled)

    def settled(self) -> asyncio.Future[None]:
        """Done when that shows."""
        self.hold()
        assert self._settled is not None
        return self._settled

    def _settle(self, settled: asyncio.Future[None]) -> None:
        self._settled, coming, self._coming = None, self._coming, None
        if coming is not None:
            self.agent_is(coming)
            self._conversation.session.deliver()
        if not settled.done():
            settled.set_result(None)

    def agent_is(self, state: str) -> None:
        if state == "thinking" and self._recites():
            if self.agent == "thinking":
                self._coming = None  # it thought until now, and speaks in a moment
            return
        if self._settled is not None:
            self._coming = state
            return
        if state != self.agent:
            old, self.agent = self.agent, state
            change = {"old_state": old, "new_state": state}
            self._conversation.tell("agent_state_changed", AgentStateChangedEvent, **change)
            self.watch()

    def _recites(self) -> bool:
        """What has the floor is text of the application's, which needs no thought."""
        talk = self._conversation
        reply = talk.speaking.with_gen(talk.machine.gen)
        source = reply.step.source if reply is not None else None
        return isinstance(source, Said) and source.name == "say"

    def user_is(self, state: str, since: float) -> None:
        """`since` is loop time: a voice is noticed some frames after it began."""
        if state != self.user:
            old, self.user = self.user, state
            self._conversation.tell(
                "user_state_changed",
                UserStateChangedEvent,
                old_state=old,
                new_state=state,
                created_at=self._conversation.memory.wall(since),
            )
        self.watch()

    def heard_words(self, *, final: bool) -> None:
        """Words bring an absent user back."""
        if final and self.user == "away":
            self.user_is("listening", asyncio.get_running_loop().time())

    def resumed(self) -> None:
        """A pause was for nothing."""
        self._conversation.tell(
            "agent_false_interruption", AgentFalseInterruptionEvent, resumed=True
        )

    def close(self) -> None:
        if self._away is not None:
            self._away.cancel()
            self._away = None

    def present(self) -> None:
        """The user has given a sign of life that is not a word."""
        if self.user == "away":
            self.user_is("listening", asyncio.get_running_loop().time())
        else:
            self.watch()

    def tool_ended(self) -> None:
        """A tool that may have been waited for has ended."""
        if self._away is None:
            self.watch()

    def watch(self) -> None:
        """Begin to wait for a word, where both sides are silent and no tool is waited for."""
        self.close()
        talk = self._conversation
        patience = talk.session.options.user_away_timeout
        silent = self.agent == self.user == "listening" and not talk.tools.searching
        if patience is not None and silent and not talk.session.alone:
            self._away = asyncio.get_running_loop().call_later(patience, self._leave)

    def _leave(self) -> None:
        self._away = None
        self.user_is("away", asyncio.get_running_loop().time())
        self._conversation.session.deliver()


class Captions:
    """The agent's words to a text output, as they are heard, one segment for each reply. Without
    `in_step` they are given as they are written, and those of a reply that is cut are too many.

    Mutable state: the output, and what of the current reply it has been given.
    """

    def __init__(self, output: io.AgentOutput) -> None:
        self.in_step = True
        self._output = output
        self._shown = ""
        self._parts: Stream[str | None] = Stream(10**6, name="captions")
        self._forwarding: asyncio.Task[None] | None = None

    def start(self, scope: Scope) -> None:
        self._forwarding = scope.start("captions", self._forward())

    async def finish(self) -> None:
        """Give the output what is left, and nothing after that."""
        self._parts.end()
        if self._forwarding is not None:
            await asyncio.wait([self._forwarding], timeout=LAST_WORDS)

    @property
    def _sink(self) -> io.TextOutput | None:
        return self._output.transcription if self._output.transcription_enabled else None

    @property
    def wanted(self) -> bool:
        return self._sink is not None

    def show(self, said: str) -> None:
        """`said` is all of the reply that has been heard so far."""
        if self._parts.ended:
            return
        if len(said) > len(self._shown) and said.startswith(self._shown):
            self._parts.put_nowait(said[len(self._shown) :])
            self._shown = said

    def end(self, said: str) -> None:
        if self.wanted and not self._parts.ended:
            self.show(said)
            if self._shown:
                self._parts.put_nowait(None)
        self._shown = ""

    async def _forward(self) -> None:
        async for part in self._parts:
            if (sink := self._sink) is None:
                continue
            try:
                if part is None:
                    sink.flush()
                else:
                    await sink.capture_text(part)
            except Exception:
                logger.exception("the text output %s failed", sink.label)
