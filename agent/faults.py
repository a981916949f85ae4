"""What goes wrong in a session: reported once and clearly, counted, and in the end too much."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from antiphon.events import CloseReason, UserTranscriptionTimeoutEvent, error_event
from antiphon.pipeline.errors import NodeError

if TYPE_CHECKING:
    from antiphon.conversation import Conversation
    from antiphon.pipeline.reply import Reply

logger = logging.getLogger("antiphon.turn")

MODELS: Final = ("stt", "llm", "tts")

SPOKEN: Final = 0.5  # seconds of voice that must have held words
MUTE: Final = 3  # such utterances in a row without a word: the recogniser is reported


class Faults:
    """Mutable state: the failures of each model in a row, and the utterances without a word."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._failures: dict[str, int] = {}
        self._mute_utterances = 0

    def failed(self, source: str, error: Exception, reply: Reply | None = None) -> None:
        """One clear event; too many in a row end the session."""
        talk = self._conversation
        talk.mark("error", reply, source=source, message=str(error) or type(error).__name__)
        logger.warning("%s: %s: %s", source, type(error).__name__, error)
        logger.debug("%s", source, exc_info=error)
        if source in MODELS:  # what the application's own code does wrong ends no session
            self._failures[source] = self._failures.get(source, 0) + 1
        event = error_event(source, error, talk.agent, talk.memory.wall())
        talk.session.report("error", lambda: event)
        if self._failures.get(source, 0) > talk.session.conn_options.max_unrecoverable_errors:
            talk.session.end(CloseReason.ERROR, event.error)

    def survived(self, error: Exception) -> None:
        """The model died in the middle of a reply, and is asked once more for the rest."""
        talk = self._conversation
        talk.mark("error", None, source="llm", message=str(error) or type(error).__name__)
        logger.warning("llm: %s: %s; asked for the rest", type(error).__name__, error)
        event = error_event("llm", error, talk.agent, talk.memory.wall(), recoverable=True)
        talk.session.report("error", lambda: event)
        talk.session.deliver()

    def recovered(self, source: str) -> None:
        self._failures.pop(source, None)

    def understood(self) -> None:
        """The recogniser gave words."""
        self._mute_utterances = 0

    def unrecognised(self, seconds: float, since: float) -> None:
        """The user was not understood; when that goes on, the recogniser does not answer.

        `since` is the loop time at which the voice began.
        """
        talk = self._conversation
        if seconds < SPOKEN or not talk.hearing.recognises:
            return
        began = talk.memory.wall(since)
        missed: dict[str, object] = {"speech_duration": seconds, "vad_speech_started_at": began}
        if talk.session.options.transcription_timeout is not None:
            talk.tell("user_transcription_timeout", UserTranscriptionTimeoutEvent, **missed)
        self._mute_utterances += 1
        if self._mute_utterances % MUTE == 0:
            why = f"stt_node gave nothing for the last {self._mute_utterances} utterances"
            self.failed("stt", NodeError(why))
