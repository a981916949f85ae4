"""What the recogniser is told of the conversation: words to expect, and what has been said.

The words are the application's; with `keyterm_detection` a model finds more in what is said
(LiveKit's detector: it has a prompt of its own and a request after each turn of the user's). A
recogniser that follows a conversation (`chat_context` among its capabilities) is given each
message, unless `forward_chat_context` is False.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from livekit.agents.voice.keyterm_detection import KeytermDetector

from antiphon.worker import conversation_listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import stt

    from antiphon.conversation import Conversation
    from antiphon.events import ConversationItemAddedEvent
    from antiphon.pipeline.streams import Scope

LAST: Final = 1.0  # seconds that a request for more words may hold up the end of a session


class SttContext:
    """Mutable state: the recogniser, whether words are looked for, and who is given messages."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._scope = scope
        self._options = conversation.session.options.stt_context_options
        self._detector = KeytermDetector(
            static_keyterms=self._options["keyterms"], options=self._options["keyterm_detection"]
        )
        self._detector.on("metrics_collected", lambda used: conversation.usage.collected(used))
        self._looking = False
        self._listener: Callable[[ConversationItemAddedEvent], None] | None = None

    @property
    def keyterms(self) -> list[str]:
        """The application's and those that were found."""
        return self._detector.keyterms

    def follow(self, engine: stt.STT[Any] | None) -> None:
        """Tell this recogniser from now on, and no other."""
        session: Any = self._conversation.session  # LiveKit's detector reads its history
        session.off("conversation_item_added", self._forward)
        self._listener = None
        if engine is not None and self._options["forward_chat_context"]:
            self._listener = conversation_listener(engine)
        if self._listener is not None:
            session.on("conversation_item_added", self._forward)
        if engine is None or self._looking:
            self._guarded(lambda: self._detector.swap_stt(engine))
        else:
            self._looking = True
            self._guarded(lambda: self._detector.start(session, engine))

    def expect(self, keyterms: list[str] | None) -> None:
        """The application's words are others now, unless None; those that were found stay."""
        if keyterms is not None:
            self._guarded(lambda: self._detector.set_static_keyterms(keyterms))

    async def close(self) -> None:
        """Nothing is told any more."""
        self._conversation.session.off("conversation_item_added", self._forward)
        ending = self._scope.start("keyterms", self._detector.aclose())
        await asyncio.wait([ending], timeout=LAST)

    def _forward(self, event: ConversationItemAddedEvent) -> None:
        if (listener := self._listener) is not None:
            self._guarded(lambda: listener(event))

    def _guarded(self, tell: Callable[[], None]) -> None:
        """A recogniser that will not be told is reported, and goes on."""
        try:
            tell()
        except Exception as error:
            self._conversation.faults.failed("stt", error)
