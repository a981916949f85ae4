"""An agent: instructions, tools, and five nodes that may be overridden.

The default of each node is in `Agent.default`, a few lines over the functions of `antiphon.nodes`;
an override that wraps one should close what it reads (`contextlib.aclosing`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from livekit.agents import NOT_GIVEN, NotGivenOr
from livekit.agents import llm as llms
from livekit.agents.utils.misc import camel_to_snake_case

from antiphon import arguments, deprecated, expressive, options, session_options
from antiphon.arguments import said
from antiphon.chosen import chosen
from antiphon.in_charge import InCharge
from antiphon.nodes import llm as llm_nodes
from antiphon.nodes import models
from antiphon.nodes import stt as stt_nodes
from antiphon.nodes import tts as tts_nodes
from antiphon.pipeline.errors import UsageError
from antiphon.pipeline.foreign import lend
from antiphon.spoken_to import SpokenTo

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from livekit import rtc
    from livekit.agents import (
        ExpressiveOptions,
        FlushSentinel,
        ModelSettings,
        TurnHandlingOptions,
        UserTurnExceededEvent,
    )
    from livekit.agents import stt as stts
    from livekit.agents import tts as ttss
    from livekit.agents import vad as vads
    from livekit.agents.llm.chat_context import Instructions
    from livekit.agents.voice.tool_executor import ToolHandlingOptions
    from typing_extensions import Unpack

    from antiphon.session import AgentSession

T = TypeVar("T")

CUT_IN: Final = (
    "The user has been speaking for long and has left no room for an answer. "
    "Cut in politely with one short sentence; it cannot be interrupted."
)


class Agent(InCharge, SpokenTo, session_options.OptionsOfAgent):
    """What the assistant is and does. `None` for a model means none, leaving it out the session's.

    Override the nodes and hooks; start it with `AgentSession.start`.
    """

    def __init__(
        self,
        *,
        instructions: str | Instructions,
        id: str | None = None,
        chat_ctx: NotGivenOr[llms.ChatContext | None] = NOT_GIVEN,
        tools: list[llms.Tool | llms.Toolset] | None = None,
        stt: NotGivenOr[stts.STT[Any] | str | None] = NOT_GIVEN,
        vad: NotGivenOr[vads.VAD | str | None] = NOT_GIVEN,
        turn_handling: NotGivenOr[TurnHandlingOptions | None] = NOT_GIVEN,
        tool_handling: NotGivenOr[ToolHandlingOptions] = NOT_GIVEN,
        llm: NotGivenOr[
            llms.LLM[Any] | llms.RealtimeModel | llms.DuplexModel | str | None
        ] = NOT_GIVEN,
        tts: NotGivenOr[ttss.TTS[Any] | str | None] = NOT_GIVEN,
        expressive: NotGivenOr[bool | ExpressiveOptions] = NOT_GIVEN,
        min_consecutive_speech_delay: NotGivenOr[float] = NOT_GIVEN,
        use_tts_aligned_transcript: NotGivenOr[bool] = NOT_GIVEN,
        **old: Unpack[deprecated.OldAgentArguments],
    ) -> None:
        deprecated.known(Agent, old, deprecated.OldAgentArguments)
        self._instructions = arguments.instructions(instructions)
        self._id = id or _snake(type(self).__name__)
        self._tools = arguments.tools("tools", tools, *llms.find_function_tools(self))
        self._chat_ctx = _copy(said(chat_ctx, None), self._tools)
        self._turn_handling = options.check(deprecated.turn_handling(turn_handling, old))
        self._stt = models.STT.loaded_if_given(stt)
        self._vad = models.VAD.loaded_if_given(vad)
        self._llm = models.seeing(models.LLM.loaded_if_given(llm), self._chat_ctx)
        self._tts = models.TTS.loaded_if_given(tts)
        self.mcp_servers = deprecated.mcp_servers(old)
        self._tool_handling = session_options.tool_handling(tool_handling)
        self.expressive = session_options.expressive(expressive)
        self.min_consecutive_speech_delay = min_consecutive_speech_delay
        self.use_tts_aligned_transcript = use_tts_aligned_transcript
        session_options.check_speech(min_consecutive_speech_delay, use_tts_aligned_transcript)
        self._running_in: AgentSession[Any] | None = None

    @property
    def id(self) -> str:
        return self._id

    @property
    def label(self) -> str:
        return self._id

    @property
    def instructions(self) -> str | Instructions:
        return self._instructions

    @property
    def tools(self) -> list[llms.Tool | llms.Toolset]:
        return list(self._tools)

    @property
    def chat_ctx(self) -> llms.ChatContext:
        """A copy of what it remembers, after its instructions once it is in a session."""
        session = self._running_in
        return session.conversation.memory.context(self) if session else self._chat_ctx.copy()

    @property
    def session(self) -> AgentSession[Any]:
        """The session it runs in; UsageError while it runs in none."""
        if self._running_in is None:
            raise UsageError(f"{self._id} is not running: start it with AgentSession.start(agent)")
        return self._running_in

    def _may_join_session(self, session: AgentSession[Any]) -> None:
        """UsageError when it cannot be in charge of `session`, and why."""
        if self._running_in is not None and self._running_in is not session:
            raise UsageError(f"{self._id} is running in another session; make a new one")
        arguments.tools(f"the session's tools and those of {self._id}", session.tools, *self._tools)
        models.seeing(chosen("llm", self._llm, session), self._chat_ctx, session.vision)

    def _join_session(self, session: AgentSession[Any]) -> None:
        """Called by the session that puts it in charge."""
        self._may_join_session(session)
        self._running_in = session

    def _leave_session(self) -> None:
        """Called by the session when it is not in charge any more."""
        self._running_in = None

    @property
    def stt(self) -> stts.STT[Any] | None:
        """The recogniser in use: its own, else the session's."""
        return chosen("stt", self._stt, self._running_in)

    @property
    def vad(self) -> vads.VAD | None:
        return chosen("vad", self._vad, self._running_in)

    @property
    def llm(self) -> llms.LLM[Any] | llms.RealtimeModel | None:
        return cast("models.Mind | None", chosen("llm", self._llm, self._running_in))

    @property
    def tts(self) -> ttss.TTS[Any] | None:
        return chosen("tts", self._tts, self._running_in)

    @property
    def _models_in_use(self) -> list[Any]:
        """Those in use."""
        return [m for m in (self.vad, self.stt, self.llm, self.tts) if m is not None]

    async def update_instructions(self, instructions: str | Instructions) -> None:
        """Replace the instructions, from the next reply on."""
        self._instructions = arguments.instructions(instructions)
        if self._running_in is not None:
            self._running_in.conversation.memory.set_up(self, self._instructions)
            await self._running_in.conversation.realtime.refreshed(self)

    def update_options(
        self,
        *,
        stt: NotGivenOr[stts.STT[Any] | str | None] = NOT_GIVEN,
        vad: NotGivenOr[vads.VAD | str | None] = NOT_GIVEN,
        llm: NotGivenOr[
            llms.LLM[Any] | llms.RealtimeModel | llms.DuplexModel | str | None
        ] = NOT_GIVEN,
        tts: NotGivenOr[ttss.TTS[Any] | str | None] = NOT_GIVEN,
        expressive: NotGivenOr[bool | ExpressiveOptions] = NOT_GIVEN,
        turn_handling: NotGivenOr[TurnHandlingOptions | None] = NOT_GIVEN,
    ) -> None:
        """Change what is given, from its next use on; what the old recogniser is hearing is kept.

        None means none; what was never given is the session's.
        """
        self._stt = said(models.STT.loaded_if_given(stt), self._stt)
        self._vad = said(models.VAD.loaded_if_given(vad), self._vad)
        self._llm = said(models.LLM.loaded_if_given(llm), self._llm)
        self._tts = said(models.TTS.loaded_if_given(tts), self._tts)
        self.expressive = said(session_options.expressive(expressive), self.expressive)
        self._turn_handling = options.check(said(turn_handling, self._turn_handling))
        if self._running_in is not None and self._running_in.current_agent is self:
            self._running_in.conversation.follow(self)

    async def update_tools(self, tools: list[llms.Tool | llms.Toolset]) -> None:
        """Replace the tools, from the next reply on; calls of those it has not are forgotten."""
        old, self._tools = self._tools, arguments.tools("tools", tools)
        if self._running_in is not None:
            await self._running_in.conversation.toolsets.replaced(self, old)
        await self.update_chat_ctx(self._chat_ctx)

    async def update_chat_ctx(
        self, chat_ctx: llms.ChatContext, *, exclude_invalid_function_calls: bool = True
    ) -> None:
        """Replace what it remembers, from the next reply on; without calls of tools it has not."""
        session = self._running_in
        tools = session.conversation.toolsets.offered(self) if session else self._tools
        only = tools if exclude_invalid_function_calls else None
        before, self._chat_ctx = self._chat_ctx, _copy(chat_ctx, only)
        if session is not None:
            session.conversation.memory.date(self._chat_ctx)
            await session.conversation.realtime.refreshed(self, before)

    def _overrides(self, name: str) -> bool:
        """Whether a node or hook of this agent is not the default one."""
        return getattr(type(self), name) is not getattr(Agent, name) or name in vars(self)

    # Hooks.

    async def on_enter(self) -> None:
        """Called when the agent becomes the session's; a place to greet."""

    async def on_exit(self) -> None:
        """Called when the session ends or hands over."""

    async def on_user_turn_exceeded(self, ev: UserTurnExceededEvent) -> None:
        """Called when the user speaks on past `user_turn_limit`; cuts in with a short reply."""
        self.session.generate_reply(
            user_input=ev.transcript,
            instructions=CUT_IN,
            allow_interruptions=False,
            tool_choice="none",
        )

    async def on_user_turn_completed(
        self, turn_ctx: llms.ChatContext, new_message: llms.ChatMessage
    ) -> None:
        """Called when the user has finished, before the reply.

        Changes to `turn_ctx` hold for this reply, changes to `new_message` for good. Raise
        `StopResponse` for no reply. The user's words stay in history whatever happens here.
        """

    # Nodes.

    def stt_node(self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings) -> Any:
        """Audio frames to speech events (or final strings)."""
        return Agent.default.stt_node(self, audio, model_settings)

    def llm_node(
        self, chat_ctx: llms.ChatContext, tools: list[llms.Tool], model_settings: ModelSettings
    ) -> Any:
        """The conversation to text: an async iterable of str, ChatChunk or FlushSentinel."""
        return Agent.default.llm_node(self, chat_ctx, tools, model_settings)

    def tts_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> Any:
        """Chunks of text, already cut for speaking, to audio frames."""
        return Agent.default.tts_node(self, text, model_settings)

    def transcription_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> Any:
        """Written chunks to what transcripts and history show, one for one."""
        return Agent.default.transcription_node(self, text, model_settings)

    def realtime_audio_output_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> Any:
        """A realtime model's audio on its way to the output."""
        return Agent.default.realtime_audio_output_node(self, audio, model_settings)

    class default:
        """The default nodes, to be called by overrides."""

        @staticmethod
        def stt_node(
            agent: Agent, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
        ) -> AsyncGenerator[stts.SpeechEvent, None]:
            engine = _given(agent.stt, "stt", agent)
            options = agent.session.conn_options.stt_conn_options
            return lend(stt_nodes.recognise(engine, agent.vad, audio, options))

        @staticmethod
        def llm_node(
            agent: Agent,
            chat_ctx: llms.ChatContext,
            tools: list[llms.Tool],
            model_settings: ModelSettings,
        ) -> AsyncGenerator[llms.ChatChunk | str | FlushSentinel, None]:
            model = agent.llm
            if isinstance(model, llms.RealtimeModel):
                raise UsageError(f"llm_node of {agent.id}: its model is spoken to, and has no node")
            engine = _given(model, "llm", agent)
            options = agent.session.conn_options.llm_conn_options
            return lend(llm_nodes.chat(engine, chat_ctx, tools, model_settings, options))

        @staticmethod
        def tts_node(
            agent: Agent, text: AsyncIterable[str], model_settings: ModelSettings
        ) -> AsyncGenerator[rtc.AudioFrame, None]:
            engine = _given(agent.tts, "tts", agent)
            options = agent.session.conn_options.tts_conn_options
            markup = expressive.markup(agent)
            cut_off = agent.session.conversation.usage.cut_off
            return lend(tts_nodes.synthesise(engine, text, options, markup, cut_off))

        @staticmethod
        def transcription_node(
            agent: Agent, text: AsyncIterable[str], model_settings: ModelSettings
        ) -> AsyncIterable[str]:
            return text

        @staticmethod
        def realtime_audio_output_node(
            agent: Agent, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
        ) -> AsyncIterable[rtc.AudioFrame]:
            return audio


def _given(engine: T | None, slot: str, agent: Agent) -> T:
    if engine is None:
        raise UsageError(
            f"{slot}_node of {agent.id} has no {slot}: pass {slot}= to the session or the agent, "
            f"or override {slot}_node"
        )
    return engine


def _copy(
    context: llms.ChatContext | None, tools: list[llms.Tool | llms.Toolset] | None
) -> llms.ChatContext:
    """A context of one's own; with `tools`, without the calls of other tools."""
    context = llms.ChatContext.empty() if context is None else context
    arguments.instance("chat_ctx", context, llms.ChatContext, "a ChatContext")
    return context.copy() if tools is None else context.copy(tools=tools)


def _snake(name: str) -> str:
    return "default_agent" if name == "Agent" else camel_to_snake_case(name)
