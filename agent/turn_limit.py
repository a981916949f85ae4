"""A user who speaks without end: when the limit is passed, the agent may cut in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.agents import UserTurnExceededEvent

from antiphon import hooks

if TYPE_CHECKING:
    import asyncio

    from antiphon.conversation import Conversation
    from antiphon.pipeline.streams import Scope


class TurnLimit:
    """Counts what the user says until the agent speaks again.

    Mutable state: the words, when they began, and the hook while it runs.
    """

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._scope = scope
        self._said: list[str] = []
        self._since: float | None = None
        self._hook: asyncio.Task[None] | None = None

    def agent_speaks(self) -> None:
        """The agent is heard; the count begins anew."""
        self._said.clear()
        self._since = None

    def heard(self, text: str, now: float) -> None:
        """A final transcript; call the agent's hook if it passes the limit and nobody speaks."""
        talk = self._conversation
        limit = talk.options["user_turn_limit"]
        words, seconds = limit["max_words"], limit["max_duration"]
        if (words is None and seconds is None) or not text.strip():
            return
        if self._since is None:
            self._since = max(talk.delays.voice_at, talk.timeline.start)
        self._said.append(text.strip())
        count = sum(len(part.split()) for part in self._said)
        lasted = now - self._since
        too_long = (words is not None and count >= words) or (
            seconds is not None and lasted >= seconds
        )
        idle = self._hook is None or self._hook.done()
        if too_long and idle and talk.line.holder is None:
            self._exceeded(count, lasted)

    def _exceeded(self, words: int, seconds: float) -> None:
        talk = self._conversation
        event = UserTurnExceededEvent(
            transcript=talk.machine.text,
            accumulated_transcript=" ".join(self._said),
            accumulated_word_count=words,
            duration=seconds,
            created_at=talk.memory.wall(),
        )
        talk.commits.ask(0.0, answer=False)  # the words are in history whatever the hook does
        self._hook = self._scope.start("on_user_turn_exceeded", hooks.exceeded(talk, event))
