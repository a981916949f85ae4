"""Whose turn it is, by hand: the application ends its own, or the user's and waits for words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from antiphon.pipeline import observations as o

if TYPE_CHECKING:
    from antiphon.asked import Session
    from antiphon.conversation import Conversation


class Commits:
    """Mutable state: who waits."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._waiting: list[asyncio.Future[str]] = []

    def ask(
        self, timeout: float, *, answer: bool = True, silence: float = 0.0
    ) -> asyncio.Future[str]:
        """End the user's turn; the future gets its text.

        Where no audio comes in, the recogniser gets so many seconds of silence, to end its words.
        """
        talk = self._conversation
        committed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if silence and not talk.hearing.attached:
            talk.hearing.quiet(silence)
        self._waiting.append(committed)
        talk.realtime.ears.asked_for()
        talk.observe(o.CommitNow(timeout, answer))
        return committed

    def settle(self, text: str) -> None:
        """The turn that was asked for is over; nobody need wait any more."""
        waiting, self._waiting = self._waiting, []
        for committed in waiting:
            if not committed.done():
                committed.set_result(text)


class TurnsOfSession:
    """What a session can be told of whose turn it is."""

    def interrupt(self: Session, *, force: bool = False) -> asyncio.Future[None]:
        """End what is being said, and what waits to be said up to the first protected speech."""
        self.conversation.speaking.interrupt_all(force=force)
        return self.conversation.states.settled()

    def commit_user_turn(
        self: Session,
        *,
        transcript_timeout: float = 2.0,
        stt_flush_duration: float = 2.0,
        skip_reply: bool = False,
    ) -> asyncio.Future[str]:
        """End the user's turn now; the result is its text, once the last words have come. An answer
        to who is still speaking begins when they stop."""
        return self.conversation.commits.ask(
            transcript_timeout, answer=not skip_reply, silence=stt_flush_duration
        )

    def clear_user_turn(self: Session) -> None:
        """Throw away what the user has said in this turn."""
        self.conversation.observe(o.Clear())

    def reset_away_timer(self: Session) -> None:
        """Count the time in which nobody says anything from now; who was away is back."""
        self.conversation.states.present()
        self.conversation.session.deliver()
