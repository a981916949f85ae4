"""What a turn's delay and a barge-in's stopping time are made of, gathered while they happen."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from antiphon.pipeline import observations as o
from antiphon.pipeline.timeline import delays

if TYPE_CHECKING:
    from antiphon.conversation import Conversation
    from antiphon.pipeline.reply import Reply

logger = logging.getLogger("antiphon.turn")


class Delays:
    """Mutable state: the marks of the turn that is being spoken, and of those not yet answered."""

    def __init__(self, conversation: Conversation) -> None:
        self.voice_at = 0.0  # when the user's voice began
        self._detected_at = 0.0  # when that was noticed
        self._conversation = conversation
        self._turns = 0
        self._marks: dict[str, float] = {}
        self._of_turn: dict[int, dict[str, float]] = {}

    def note(self, seen: o.Observation, now: float) -> None:
        """Remember the time of what matters to the delay."""
        match seen:
            case o.VoiceStarted():
                self.voice_at, self._detected_at = seen.at, now
            case o.VoiceStopped():
                self._marks["last_voice"] = seen.at
            case o.Transcript():
                self._marks["transcribed"] = now
                self._marks.setdefault("last_voice", now)

    def next_turn(self, now: float) -> int:
        """Number the turn that was just committed; its marks so far are now its own."""
        self._turns += 1
        self._marks["committed"] = now
        self._of_turn[self._turns] = self._marks
        self._marks = {}
        return self._turns

    def hooked(self, turn: int, now: float) -> None:
        """on_user_turn_completed is done with that turn."""
        self._of_turn[turn]["hooked"] = now

    def audible(self, reply: Reply) -> None:
        """The answer to a turn is heard: say what its delay was made of."""
        if reply.turn not in self._of_turn:
            return
        marks = {**self._of_turn.pop(reply.turn), **reply.step.marked}
        parts = {name: us / 1e6 for name, us in delays(marks["last_voice"], marks).items()}
        total = round(sum(parts.values()), 6)
        self._conversation.mark("delay", reply, parts=parts, total=total)
        logger.info("turn %s answered after %.3f s", reply.turn, total)

    def stopping(self, reply: Reply, now: float) -> None:
        """Say how long it took until the agent was silent, when it is the user who stops it."""
        playout = reply.step.playout
        if (
            playout is not None
            and playout.sounding
            and self._conversation.states.user == "speaking"
        ):
            voice, detection = now - self.voice_at, now - self._detected_at
            self._conversation.mark("stopped", reply, voice=voice, detection=detection)
