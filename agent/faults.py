"""What goes wrong in a session: reported once and clearly, counted, and in the end too much."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from livekit.agents import APIError

from antiphon.events import CloseReason, UserTranscriptionTimeoutEvent, error_event
from antiphon.pipeline.errors import NodeError

if TYPE_CHECKING:
    from antiphon.conversation import Conversation
    from antiphon.pipeline.reply import Reply

logger = logging.getLogger("antiphon.turn")

MODELS: Final = ("stt", "llm", "tts")

SPOKEN: Final = 0.5  # seconds of voice that must have held words
TRIES: Final = 5.0  # seconds that LiveKit's models try again before they fail: one failure
MUTE: Final = 3  # such utterances in a row without a word: the recogniser is reported


class Faults:
    """Mutable state: the failures of each model in a row, when the last of them was counted, that
    the recogniser is known to be away, and the utterances without a word."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._failures: dict[str, int] = {}
        self._outage = False
        self._counted = 0.0  # loop time
        self._mute_utterances = 0

    def failed(self, source: str, error: Exception, reply: Reply | None = None) -> None:
        """One clear event; too many in a row end the session."""
        talk = self._conversation
        self._note(source, error, reply)
        logger.debug("%s", source, exc_info=error)
        event = error_event(source, error, talk.agent, talk.memory.wall())
        known = self._goes_on(source, error)
        if not known:
            talk.session.report("error", lambda: event)
        now = asyncio.get_running_loop().time()
        counts = not known or now - self._counted >= TRIES
        if source in MODELS and counts:  # what the application's own code does wrong ends nothing
            self._failures[source] = self._failures.get(source, 0) + 1
            self._counted = now
        if self._failures.get(source, 0) > talk.session.conn_options.max_unrecoverable_errors:
            talk.session.end(CloseReason.ERROR, event.error)

    def _goes_on(self, source: str, error: Exception) -> bool:
        """The recogniser has failed before, which is told, and has not been there since."""
        if source != "stt" or not isinstance(error, APIError):
            return False
        before, self._outage = self._outage, True
        return before

    def survived(
        self, error: Exception, source: str = "llm", then: str = "asked for the rest"
    ) -> None:
        """What failed is asked once more, and nothing ends for it: by default a model that died in
        the middle of a reply."""
        talk = self._conversation
        self._note(source, error, None, f"; {then}")
        event = error_event(source, error, talk.agent, talk.memory.wall(), recoverable=True)
        talk.session.report("error", lambda: event)
        talk.session.deliver()

    def _note(self, source: str, error: Exception, reply: Reply | None, then: str = "") -> None:
        message = str(error) or type(error).__name__
        self._conversation.mark("error", reply, source=source, message=message)
        logger.warning("%s: %s: %s%s", source, type(error).__name__, error, then)

    def recovered(self, source: str) -> None:
        self._failures.pop(source, None)
        self._outage = self._outage and source != "stt"

    def understood(self) -> None:
        """The recogniser gave words."""
        self._mute_utterances = 0

    def unrecognised(self, seconds: float, since: float) -> None:
        """The user was not understood; when that goes on, the recogniser does not answer. (Or they
        only hummed: so nothing ends for it, and what was said is given to it once more.)

        `since` is the loop time at which the voice began.
        """
        talk = self._conversation
        if seconds < SPOKEN or not talk.hearing.recognises:
            return
        began = talk.memory.wall(since)
        missed: dict[str, object] = {"speech_duration": seconds, "vad_speech_started_at": began}
        if talk.session.options.transcription_timeout is not None:
            talk.tell("user_transcription_timeout", UserTranscriptionTimeoutEvent, **missed)
        if self._outage:
            return  # and that is known
        self._mute_utterances += 1
        if self._mute_utterances == MUTE:
            why = f"stt_node gave nothing for the last {MUTE} utterances"
            self.survived(NodeError(why), "stt", "it is started again")
        if self._mute_utterances % MUTE == 0:
            talk.hearing.start_again()

    def unnoticed(self, seconds: float) -> None:
        """A realtime model that ends turns has told nothing of that voice; when that goes on, it is
        deaf, or gone. (Or that was noise, of which it is the better judge: so nothing is done.)"""
        if seconds < SPOKEN:
            return
        self._mute_utterances += 1
        if self._mute_utterances == MUTE:
            why = f"the realtime model told nothing of the last {MUTE} voices"
            self.survived(NodeError(why), "llm", "is it listening?")
