"""What a room sees of a conversation: the agent's state, and the words of both sides."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc
from livekit.agents.types import (
    ATTRIBUTE_AGENT_STATE,
    ATTRIBUTE_PUBLISH_ON_BEHALF,
    CLIENT_PROTOCOL_TRANSCRIPTION_STREAMS,
)

from antiphon.nodes.room_text import AgentWords, Transcription, UserWords
from antiphon.pipeline.streams import Stream
from antiphon.worker import client_protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import AgentStateChangedEvent, UserInputTranscribedEvent
    from livekit.agents.voice.room_io import TextOutputOptions

    from antiphon.pipeline.streams import Scope
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.room")

GLANCE: Final = 0.05  # seconds between two looks at what has been heard
RECONNECTING: Final = rtc.ConnectionState.CONN_RECONNECTING
CONNECTED: Final = rtc.ConnectionState.CONN_CONNECTED
LAST_WORDS: Final = 1.0  # seconds for what is on its way when the session leaves


class RoomShow:
    """Mutable state: the words on their way, the agent's state and what of it is not shown yet, and
    the next look.

    `user` gives who speaks to the agent, and that one's microphone; `voice` the agent's track.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        room: rtc.Room,
        scope: Scope,
        options: TextOutputOptions | None,
        *,
        user: Callable[[], tuple[str, str | None] | None],
        voice: Callable[[], str | None],
    ) -> None:
        self.agent_words: AgentWords | None = None
        self._user_words: UserWords | None = None
        self._session = session
        self._room = room
        self._voice = voice
        self._states: Stream[str] = Stream(10**9, name="agent states")
        self._state: str | None = None
        self._glance: asyncio.TimerHandle | None = None
        if options is not None:
            self.agent_words = AgentWords(
                room,
                scope,
                self._agent,
                self._packets,
                lines=options.json_format,
                next_in_chain=options.next_in_chain,
            )
            self._user_words = UserWords(room, scope, "user words", user, self._packets)
        session.on("agent_state_changed", self._agent_is)
        room.on("connection_state_changed", self._connection)
        room.on("participant_connected", self._came)
        session.on("user_input_transcribed", self._transcribed)
        scope.start("agent state", self._show_states())

    async def close(self) -> None:
        """Show what is known to its end."""
        self._session.off("agent_state_changed", self._agent_is)
        self._room.off("connection_state_changed", self._connection)
        self._room.off("participant_connected", self._came)
        self._session.off("user_input_transcribed", self._transcribed)
        if self._glance is not None:
            self._glance.cancel()
        words = self._words()
        for each in words:
            each.close()
        if words:
            await asyncio.wait([each.sending for each in words], timeout=LAST_WORDS)

    def _words(self) -> list[Transcription]:
        return [each for each in (self.agent_words, self._user_words) if each is not None]

    def _agent(self) -> tuple[str, str | None] | None:
        if not self._room.isconnected():
            return None
        return self._room.local_participant.identity, self._voice()

    def _packets(self) -> bool:
        """Somebody in the room only knows the packets from before there were text streams: a person
        with an old client, and no avatar of this agent."""
        me = self._room.local_participant.identity
        return any(
            other.kind == rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
            and client_protocol(other) < CLIENT_PROTOCOL_TRANSCRIPTION_STREAMS
            and other.attributes.get(ATTRIBUTE_PUBLISH_ON_BEHALF) != me
            for other in self._room.remote_participants.values()
        )

    def _transcribed(self, event: UserInputTranscribedEvent) -> None:
        if self._user_words is not None:
            self._user_words.version(event.transcript, final=event.is_final)

    def _agent_is(self, event: AgentStateChangedEvent) -> None:
        self._state = event.new_state
        self._states.put_nowait(event.new_state)
        if event.new_state == "speaking" and self._glance is None:
            self._show_heard()

    def _connection(self, connection: rtc.ConnectionState.ValueType) -> None:
        for each in self._words():
            each.online(connection != RECONNECTING)
        if connection == CONNECTED:
            self._came()
            if self._state is not None:
                self._states.put_nowait(self._state)

    def _came(self, _: object = None) -> None:
        """Somebody has, or the agent itself is back: who it was, a stream has ended for them."""
        if self.agent_words is not None:
            self.agent_words.anew()

    def _show_heard(self) -> None:
        """Show each word when it has been heard, and not when more sound is made."""
        talk, self._glance = self._session.conversation, None
        if talk.states.agent == "speaking":
            reply = talk.speaking.with_gen(talk.machine.gen)
            if reply is not None:
                talk.stage.caption(reply)
            loop = asyncio.get_running_loop()
            self._glance = loop.call_later(GLANCE, self._show_heard)

    async def _show_states(self) -> None:
        async for state in self._states:
            while self._states.waiting:
                state = self._states.take_nowait()  # the newest is what counts
            if self._room.connection_state != CONNECTED:
                continue  # it would be lost without a word, and is shown once that is back
            try:
                me = self._room.local_participant
                await me.set_attributes({ATTRIBUTE_AGENT_STATE: state})
            except Exception as error:
                logger.warning("the agent's state was not shown to the room: %s", error)
