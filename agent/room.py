"""`RoomIO`: a session in a LiveKit room, from its ears and mouth to when it has to leave."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc
from livekit.agents import NOT_GIVEN, NotGivenOr, get_job_context

from antiphon import room_options
from antiphon.arguments import said
from antiphon.nodes.room_early import EarlyAudio
from antiphon.nodes.room_input import RoomInput, RoomPictures
from antiphon.nodes.room_output import RoomOutput
from antiphon.pipeline.streams import Scope
from antiphon.room_chat import RoomChat
from antiphon.room_ending import RoomEnding
from antiphon.room_host import RoomHost
from antiphon.room_link import Link
from antiphon.room_show import RoomShow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit.agents import io
    from livekit.agents.voice.room_io import RoomInputOptions, RoomOptions, RoomOutputOptions

    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.room")

TRACK: Final = "roomio_audio"
DEAF: Final = 3.0  # seconds in which somebody who is linked begins to listen, or only reads
PERSON: Final = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
LEAVING: Final = 2.0  # seconds that taking the track away may take


class RoomIO:
    """Connects a session with a room. `session.start(room=…)` makes one; who makes one of their own
    starts it before the session.

    Mutable state: its parts, which live from `start` to `aclose`.
    """

    def __init__(
        self,
        agent_session: AgentSession[Any],
        room: rtc.Room,
        *,
        participant: rtc.RemoteParticipant | str | None = None,
        options: NotGivenOr[RoomOptions] = NOT_GIVEN,
        input_options: NotGivenOr[RoomInputOptions] = NOT_GIVEN,
        output_options: NotGivenOr[RoomOutputOptions] = NOT_GIVEN,
    ) -> None:
        self.room = room
        self._session = agent_session
        self._options = room_options.resolved(options, input_options, output_options)
        identity = participant if isinstance(participant, str | None) else participant.identity
        self._link = Link(
            room,
            identity or said(self._options.participant_identity, None),
            said(self._options.participant_kinds, None),
            moved=self._follow,
            changed=self._changed,
        )
        self._scope = Scope("room")
        loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[None] = loop.create_future()
        self._ready: asyncio.Future[None] = loop.create_future()
        self._early: EarlyAudio | None = None
        self._input: RoomInput | None = None
        self._pictures: RoomPictures | None = None
        self._output: RoomOutput | None = None
        self._show: RoomShow | None = None
        self._chat = RoomChat(agent_session, room, self._scope, self._link)
        self._ending = RoomEnding(agent_session, room, self._link, self._options, self._hold)
        self._host = RoomHost(agent_session, self, room) if agent_session.hosted else None

    async def start(self) -> None:
        """Attach to the session; the room may be joined before or after."""
        self._make_inputs()
        self._make_outputs()
        self.room.on("connection_state_changed", self._connection)
        self.room.on("sip_dtmf_received", self._pressed)
        self._ending.open()
        if (chat := room_options.text_input(self._options)) is not None:
            self.register_text_input(chat.text_input_cb)
        if self._host is not None:
            await self._host.start()
        self._connection()
        self._scope.start("entering", self._enter())
        job = get_job_context(required=False)
        if job is not None and job.room is self.room:
            await job.connect()

    async def aclose(self) -> None:
        """Leave the room to others: what was heard is shown to its end, the track goes."""
        self.room.off("connection_state_changed", self._connection)
        self.room.off("sip_dtmf_received", self._pressed)
        self._ending.close()
        self._link.close()
        self._chat.close()
        for part in (self._input, self._pictures, self._early):
            if part is not None:
                part.close()
        if self._show is not None:
            await self._show.close()
        if self._host is not None:
            await self._host.aclose()
        if self._output is not None and self._output.track_sid and self.room.isconnected():
            going = self._scope.start("leaving", self._unpublish(self._output.track_sid))
            await asyncio.wait([going], timeout=LEAVING)
        await self._ending.deleted()
        await self._scope.close()
        if self._output is not None:
            await self._output.close()

    # What a program sees of it.

    @property
    def audio_input(self) -> io.AudioInput | None:
        return self._input

    @property
    def video_input(self) -> io.VideoInput | None:
        return self._pictures

    @property
    def audio_output(self) -> io.AudioOutput | None:
        return self._output

    @property
    def transcription_output(self) -> io.TextOutput | None:
        return self._show.agent_words if self._show is not None else None

    @property
    def linked_participant(self) -> rtc.RemoteParticipant | None:
        """Who is talked with; None while nobody is there."""
        return self._link.participant

    @property
    def subscribed_fut(self) -> asyncio.Future[None] | None:
        """Done when somebody listens to the agent's track."""
        return self._output.subscribed if self._output is not None else None

    async def wait_for_ready(self) -> None:
        """Wait until somebody is linked, and listens."""
        await asyncio.wait([self._ready])

    def set_participant(self, participant_identity: str | None) -> None:
        """Talk with that participant from now on; None is nobody."""
        self._link.set(participant_identity)

    def unset_participant(self) -> None:
        """Talk with nobody, until `set_participant`."""
        self._link.set(None)

    def register_text_input(self, text_input_cb: Callable[..., Awaitable[None] | None]) -> None:
        """Call that for every line of chat of the participant that is talked with."""
        self._chat.answer_by(text_input_cb)

    # Its parts.

    def _make_inputs(self) -> None:
        session, options = self._session, room_options.audio_input(self._options)
        if options is not None and session.input.audio is None:
            if options.pre_connect_audio:
                self._early = EarlyAudio(self.room, self._scope, options)
            self._input = RoomInput(self.room, self._scope, options, self._early)
            session.input.audio = self._input
        if self._options.get_video_input_options() is not None and session.input.video is None:
            self._pictures = RoomPictures(self.room, self._scope)
            session.input.video = self._pictures
        self._follow(self._link.identity)

    def _make_outputs(self) -> None:
        session, options = self._session, self._options.get_audio_output_options()
        if options is not None and session.output.audio is None:
            rate, channels = options.sample_rate, options.num_channels
            self._output = RoomOutput(self._scope, rate=rate, channels=channels)
            session.output.audio = self._output
        text = self._options.get_text_output_options()
        self._show = RoomShow(
            session,
            self.room,
            self._scope,
            text if session.output.transcription is None else None,
            user=self._user,
            voice=lambda: self._output.track_sid if self._output is not None else None,
        )
        if self._show.agent_words is not None and text is not None:
            session.output.transcription = self._show.agent_words
            session.captions.in_step = text.sync_transcription is not False

    def _user(self) -> tuple[str, str | None] | None:
        if self._link.identity is None:
            return None
        return self._link.identity, self._input.track_sid if self._input is not None else None

    def _follow(self, identity: str | None) -> None:
        for part in (self._input, self._pictures):
            if part is not None:
                part.follow(identity)

    async def _enter(self) -> None:
        """Publish at once: a phone rings until somebody in the room does."""
        await asyncio.wait([self._connected])
        self._link.look()
        options = self._options.get_audio_output_options()
        if self._output is not None and options is not None:
            me, publishing = self.room.local_participant, options.track_publish_options
            try:
                await self._output.publish(me, said(options.track_name, TRACK), publishing)
            except Exception as error:
                logger.error("the agent cannot be heard: its track was not published: %s", error)
                self._output.open()  # what is said takes its time all the same
        await self._link.linked()
        if self._output is not None:
            await self._heard(self._output)
        self._ready.set_result(None)

    async def _heard(self, output: RoomOutput) -> None:
        """Wait until somebody listens: a phone when it is taken up, a page at once or never."""
        listened = self._scope.start("listened", output.listened())
        await asyncio.wait([listened], timeout=DEAF)
        participant = self._link.participant
        if participant is None or participant.kind == PERSON:
            output.open()  # who only reads is answered too
        await asyncio.wait([output.subscribed])

    async def _unpublish(self, track_sid: str) -> None:
        try:
            await self.room.local_participant.unpublish_track(track_sid)
        except Exception as error:
            logger.debug("the track was not taken away: %s", error)

    # What the room tells.

    def _connection(self, _: object = None) -> None:
        if self.room.isconnected() and not self._connected.done():
            self._connected.set_result(None)

    def _changed(self) -> None:
        """Somebody to talk with has come, or gone."""
        if self._link.participant is not None:
            self._ending.back()
        self._session.accompanied()

    def _hold(self, on: bool) -> None:
        if self._output is not None:
            self._output.hold(on)

    def _pressed(self, event: rtc.SipDTMF) -> None:
        if event.participant is not None and event.participant.identity == self._link.identity:
            self._session.reset_away_timer()
