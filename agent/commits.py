"""The application ends the user's turn by hand, and waits for its words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from antiphon.pipeline import observations as o

if TYPE_CHECKING:
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
