"""A call is handed over to a human, who is called and told first what it is about."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit import api
from livekit.agents import NOT_GIVEN, BackgroundAudioPlayer, NotGivenOr, get_job_context, llm
from livekit.agents.llm.chat_context import Instructions
from livekit.agents.voice.background_audio import AudioConfig, AudioSource, BuiltinAudioClip

from antiphon import hooks
from antiphon.agent import Agent
from antiphon.arguments import given, said
from antiphon.context import GivenUp, RunContext
from antiphon.function_tools import function_tool
from antiphon.pipeline.streams import Scope
from antiphon.task import AgentTask
from antiphon.workflows import phone
from antiphon.workflows.consultation import CALLER_HUNG_UP, FAILED, HUMAN, Consultation
from antiphon.workflows.instructions import WorkflowInstructions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit import rtc
    from livekit.agents import ModelSettings, TurnHandlingOptions, stt, tts, vad
    from livekit.agents.voice.turn import TurnDetectionMode

    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.workflows")

NOT_REACHED: Final = "could not dial human agent"
LAST_NOTE: Final = 2.0  # seconds that the music has to end
MUSIC: Final = 0.8  # how loud
PERSONA: Final = (
    "You have called a colleague, a human, on behalf of somebody who waits on the line. Tell "
    "your colleague enough to take the call over at once."
)
TEMPLATE: Final = """\
{persona}

Whoever speaks to you now is your colleague, never the caller, who hears music meanwhile. This is \
what was said before, between the caller and the assistant, which is you:

{talk}

Begin with a short summary, and answer what your colleague asks. When your colleague agrees to \
take the call, call `connect_to_caller`; `decline_transfer` if not; and `voicemail_detected` where \
it is a machine that answers.

{extra}"""


@dataclass
class WarmTransferResult:
    """`human_agent_identity` names the human's participant, in the caller's room or the other."""

    human_agent_identity: str


class WarmTransferTask(AgentTask[WarmTransferResult]):
    """Awaited in a tool: the caller hears music, a human is called into another room and told
    what the call is about, and takes it, or does not, which raises ToolError.

    A LiveKit server that moves participants puts the human into the caller's room. An open one does
    not: there the two hear each other by way of this job, which has to go on. The rooms are closed
    when either leaves. Mutable state: the other room, and the caller's side while it is on hold.
    """

    def __init__(
        self,
        sip_call_to: NotGivenOr[str] = NOT_GIVEN,
        *,
        sip_trunk_id: NotGivenOr[str | None] = NOT_GIVEN,
        sip_connection: NotGivenOr[api.SIPOutboundConfig] = NOT_GIVEN,
        sip_number: NotGivenOr[str] = NOT_GIVEN,
        sip_headers: NotGivenOr[dict[str, str]] = NOT_GIVEN,
        dtmf: NotGivenOr[str | None] = NOT_GIVEN,
        ringing_timeout: NotGivenOr[float | None] = NOT_GIVEN,
        hold_audio: NotGivenOr[AudioSource | AudioConfig | list[AudioConfig] | None] = NOT_GIVEN,
        instructions: NotGivenOr[WorkflowInstructions | Instructions | str] = NOT_GIVEN,
        chat_ctx: NotGivenOr[llm.ChatContext] = NOT_GIVEN,
        turn_handling: NotGivenOr[TurnHandlingOptions] = NOT_GIVEN,
        turn_detection: NotGivenOr[TurnDetectionMode | None] = NOT_GIVEN,
        tools: NotGivenOr[list[llm.Tool | llm.Toolset]] = NOT_GIVEN,
        stt: NotGivenOr[stt.STT[Any] | str | None] = NOT_GIVEN,
        vad: NotGivenOr[vad.VAD | str | None] = NOT_GIVEN,
        llm: NotGivenOr[llm.LLM[Any] | llm.RealtimeModel | str | None] = NOT_GIVEN,
        tts: NotGivenOr[tts.TTS[Any] | str | None] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        extra_instructions: str = "",
        target_phone_number: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        if given(target_phone_number):
            logger.warning("target_phone_number= is deprecated: write sip_call_to=")
        self._phone = phone.phone(
            said(sip_call_to, target_phone_number),
            *(sip_trunk_id, sip_connection, sip_number, sip_headers, dtmf, ringing_timeout),
        )
        super().__init__(
            instructions=_told(instructions, chat_ctx, extra_instructions),
            turn_handling=turn_handling,
            turn_detection=turn_detection,
            tools=said(tools, []),
            stt=stt,
            vad=vad,
            llm=llm,
            tts=tts,
            allow_interruptions=allow_interruptions,
        )
        music = AudioConfig(BuiltinAudioClip.HOLD_MUSIC, volume=MUSIC)
        self._hold_audio = said(hold_audio, music)
        self._scope: Scope | None = None
        self._consultation: Consultation | None = None
        self._hold: _Hold | None = None

    async def on_enter(self) -> None:
        job = get_job_context()
        if job.is_fake_job():
            self._end(llm.ToolError(f"{NOT_REACHED}: a console has no telephone"))
            return
        with hooks.outside():  # what begins here is no part of this conversation
            self._scope = Scope("warm transfer")
            self._hold = _Hold(self.session)
            music = self._scope.start("music", self._hold.begin(job.room, self._hold_audio))
            self._consultation = Consultation(job, self._over)
            dialling = self._scope.start("dialling", self._dial(self._consultation))
        await asyncio.wait([music, dialling])

    async def on_exit(self) -> None:
        """However it ends: the caller is listened to again, and the human is let go."""
        if self._scope is not None:
            await self._scope.close()
        if self._hold is not None:
            await self._hold.end()
        if self._consultation is not None:
            decided = self.done() and not isinstance(self._came_of_it[0], GivenUp)
            self._consultation.end(drain=decided)

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[str, None]:
        """Nobody answers a caller on hold."""
        silence: tuple[str, ...] = ()
        for word in silence:
            yield word

    @function_tool(flags=llm.ToolFlag.IGNORE_ON_ENTER)
    async def connect_to_caller(self, context: RunContext[Any]) -> None:
        """Connect your colleague with the caller, once your colleague has agreed."""
        self._asked_by_human(context)
        linked = self.session.room_io.linked_participant
        if linked is None or self._consultation is None:
            raise llm.ToolError(CALLER_HUNG_UP)
        try:
            await self._consultation.merge(linked.identity)
        except FAILED as error:
            logger.warning("the human agent was not connected to the caller: %s", error)
            raise llm.ToolError("the connection failed; try it once more") from None
        self._end(WarmTransferResult(human_agent_identity=HUMAN))

    @function_tool(flags=llm.ToolFlag.IGNORE_ON_ENTER)
    async def decline_transfer(self, context: RunContext[Any], reason: str) -> None:
        """Your colleague does not take the call.

        Args:
            reason: Why not, in a few words.
        """
        self._asked_by_human(context)
        self._end(llm.ToolError(f"human agent declined to connect: {reason}"))

    @function_tool(flags=llm.ToolFlag.IGNORE_ON_ENTER)
    async def voicemail_detected(self, context: RunContext[Any]) -> None:
        """A machine has answered; call this when its greeting is over."""
        self._asked_by_human(context)
        self._end(llm.ToolError("voicemail detected"))

    def _asked_by_human(self, context: RunContext[Any]) -> None:
        """A caller on hold might write, and a model that needs no `llm_node` might answer."""
        if context.session is self.session:
            raise llm.ToolError("only your colleague can ask for that; the caller is on hold")

    async def _originate_human_agent(
        self, *, room_name: str, identity: str, room: rtc.Room
    ) -> None:
        """Have the human join that room under that identity; returns when the call is taken."""
        await get_job_context().api.sip.create_sip_participant(
            self._phone.call(room_name, identity)
        )

    async def _dial(self, consultation: Consultation) -> None:
        try:
            await consultation.begin(*self._colleagues())
            await self._originate_human_agent(
                room_name=consultation.name, identity=HUMAN, room=consultation.room
            )
            await consultation.answered()
        except Exception as error:
            logger.warning("%s: %s", NOT_REACHED, error)
            logger.debug("where it failed", exc_info=error)
            self._end(llm.ToolError(f"{NOT_REACHED}{_why(error)}"))

    def _colleagues(self) -> tuple[AgentSession[Any], Agent]:
        """The session with the human, by the models of this one, and who talks in it."""
        from antiphon.session import AgentSession

        mine = self.session
        turns: TurnHandlingOptions = {"turn_detection": mine.turn_detection}
        session: AgentSession[Any] = AgentSession(
            stt=mine.stt,
            vad=mine.vad,
            llm=mine.llm,
            tts=mine.tts,
            turn_handling=turns,
            conn_options=mine.conn_options,
        )
        used = mine.conversation.usage.collected_for
        session.on("metrics_collected", lambda event: used(event.metrics))
        agent = Agent(
            instructions=self.instructions,
            turn_handling=self._turn_handling or NOT_GIVEN,
            tools=self.tools,
            stt=self._stt,
            vad=self._vad,
            llm=self._llm,
            tts=self._tts,
        )
        return session, agent

    def _over(self, why: str) -> None:
        """The session with the human has ended; by then it was decided, or never will be."""
        self._end(llm.ToolError(why))

    def _end(self, result: WarmTransferResult | llm.ToolError) -> None:
        if not self.done():
            self.complete(result)


class _Hold:
    """A caller on hold. Mutable state: what was switched on before, and the music."""

    def __init__(self, session: AgentSession[Any]) -> None:
        self._input, self._output = session.input, session.output
        self._before = (
            *(self._input.audio_enabled, self._input.video_enabled),
            *(self._output.audio_enabled, self._output.transcription_enabled),
        )
        self._switch(*(False,) * len(self._before))
        self._music: BackgroundAudioPlayer | None = None

    async def begin(
        self, room: rtc.Room, audio: AudioSource | AudioConfig | list[AudioConfig] | None
    ) -> None:
        if audio is None:
            return
        self._music = BackgroundAudioPlayer()
        try:
            await self._music.start(room=room)
            self._music.play(audio, loop=True)
        except Exception as error:
            logger.warning("the caller on hold hears nothing: %s", error)

    async def end(self) -> None:
        self._switch(*self._before)
        if self._music is not None:
            try:
                async with asyncio.timeout(LAST_NOTE):
                    await self._music.aclose()
            except Exception as error:
                logger.debug("the music did not end: %s", error)

    def _switch(self, hears: bool, sees: bool, speaks: bool, writes: bool) -> None:
        if self._input.audio is not None:
            self._input.set_audio_enabled(hears)
        if self._input.video is not None:
            self._input.set_video_enabled(sees)
        if self._output.audio is not None:
            self._output.set_audio_enabled(speaks)
        if self._output.transcription is not None:
            self._output.set_transcription_enabled(writes)


def _told(
    instructions: NotGivenOr[WorkflowInstructions | Instructions | str],
    chat_ctx: NotGivenOr[llm.ChatContext],
    extra: str,
) -> str | Instructions:
    parts = WorkflowInstructions(persona=PERSONA, extra=extra)
    if given(instructions) and extra:
        logger.warning("extra_instructions= is of no use beside instructions=")
    if isinstance(instructions, WorkflowInstructions):
        parts = instructions
    elif isinstance(instructions, str | Instructions):
        return instructions
    return parts.resolve(template=TEMPLATE, default_persona=PERSONA, talk=_talk(chat_ctx))


def _talk(chat_ctx: NotGivenOr[llm.ChatContext]) -> str:
    """What was said, a line each."""
    who = {"user": "Caller", "assistant": "Assistant"}
    context = said(chat_ctx, llm.ChatContext.empty())
    return "\n".join(
        f"{who[message.role]}: {message.text_content}"
        for message in context.messages()
        if message.role in who and message.text_content
    )


def _why(error: Exception) -> str:
    """What a model may be told of a failure."""
    if isinstance(error, llm.ToolError):
        return f": {error.message}"
    if isinstance(error, api.SipCallError) and error.sip_status_code is not None:
        return f": {error.sip_status_code} {error.sip_status or ''}".rstrip()
    return ""
