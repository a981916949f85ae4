"""`AgentSession`: models, options, input and output, and a conversation while it runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Generic, Literal, cast, overload

from livekit.agents import NOT_GIVEN, CloseReason, NotGivenOr, io
from livekit.agents import llm as llms
from typing_extensions import TypeVar  # with a default, before 3.13

from antiphon import arguments, costs, deprecated, jobs, options, session_options
from antiphon.agent import Agent
from antiphon.arguments import said
from antiphon.asked import SpeechOfSession
from antiphon.commits import TurnsOfSession
from antiphon.context import INSIDE
from antiphon.in_room import RoomOfSession
from antiphon.lifecycle import Run
from antiphon.nodes import models, polish
from antiphon.pipeline.errors import ArgumentError, UsageError
from antiphon.pipeline.sentences import Sentences
from antiphon.reporting import Reporting
from antiphon.runs import RunsOfSession
from antiphon.session_options import OptionsOfSession, SessionOptions
from antiphon.sight import SightOfSession
from antiphon.states import Captions
from antiphon.vision import Vision, seen

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from livekit import rtc
    from livekit.agents import (
        EndpointingOptions,
        ExpressiveOptions,
        RecordingOptions,
        STTContextOptions,
        TurnHandlingOptions,
        stt,
        tts,
        vad,
    )
    from livekit.agents.voice.room_io import RoomOptions
    from livekit.agents.voice.tool_executor import ToolHandlingOptions
    from livekit.agents.voice.turn import TurnDetectionMode
    from typing_extensions import Unpack

    from antiphon.conversation import Conversation
    from antiphon.costs import Price, SessionCost
    from antiphon.deprecated import StartArguments
    from antiphon.expect import RunResult
    from antiphon.nodes.polish import Transform
    from antiphon.options import ConnectOptions
    from antiphon.pipeline.playout import Output
    from antiphon.pipeline.source import Chunker
    from antiphon.pipeline.timeline import Timeline
    from antiphon.session_options import VideoSampler
    from antiphon.speech import SpeechHandle
    from antiphon.usage import SessionUsage

logger = logging.getLogger("antiphon.session")

Userdata_T = TypeVar("Userdata_T", default=Any)


class AgentSession(
    Reporting,
    OptionsOfSession,
    SpeechOfSession,
    TurnsOfSession,
    RunsOfSession,
    RoomOfSession,
    SightOfSession,
    Generic[Userdata_T],
):
    """A voice conversation. Models are LiveKit objects or strings (see `nodes.models`).

    Left out, `vad` is the built-in webrtcvad; `None` is none. `tokenizer` makes the object that
    cuts a reply's text for speaking: `pipeline.sentences`, or `nodes.tokenizers` over LiveKit's.
    """

    def __init__(
        self,
        *,
        stt: NotGivenOr[stt.STT[Any] | str | None] = NOT_GIVEN,
        vad: NotGivenOr[vad.VAD | str | None] = NOT_GIVEN,
        llm: NotGivenOr[
            llms.LLM[Any] | llms.RealtimeModel | llms.DuplexModel | str | None
        ] = NOT_GIVEN,
        tts: NotGivenOr[tts.TTS[Any] | str | None] = NOT_GIVEN,
        turn_handling: NotGivenOr[TurnHandlingOptions | None] = NOT_GIVEN,
        stt_context_options: NotGivenOr[STTContextOptions] = NOT_GIVEN,
        tools: NotGivenOr[list[llms.Tool | llms.Toolset] | None] = NOT_GIVEN,
        tool_handling: NotGivenOr[ToolHandlingOptions] = NOT_GIVEN,
        max_tool_steps: int = 3,
        use_tts_aligned_transcript: NotGivenOr[bool] = NOT_GIVEN,
        tts_text_transforms: NotGivenOr[Sequence[Transform] | None] = NOT_GIVEN,
        tokenizer: Callable[[], Chunker] = Sentences,
        min_consecutive_speech_delay: float = 0.0,
        expressive: bool | ExpressiveOptions = False,
        userdata: NotGivenOr[Userdata_T] = NOT_GIVEN,
        video_sampler: NotGivenOr[VideoSampler | None] = NOT_GIVEN,
        aec_warmup_duration: NotGivenOr[float | None] = NOT_GIVEN,
        ivr_detection: bool = False,
        user_away_timeout: float | None = 15.0,
        transcription_timeout: float | None = None,
        session_close_transcript_timeout: float = 2.0,
        conn_options: NotGivenOr[ConnectOptions | None] = NOT_GIVEN,
        loop: asyncio.AbstractEventLoop | None = None,
        prices: Mapping[str, Price] | None = None,
        budget: float | None = None,
        vision: bool | Vision = False,
        **old: Unpack[deprecated.OldSessionArguments],
    ) -> None:
        super().__init__()
        deprecated.known(AgentSession, old, deprecated.OldSessionArguments)
        turns = options.check(deprecated.turn_handling(turn_handling, old))
        context = deprecated.stt_context(stt_context_options, old)
        self.options = SessionOptions(
            turn_handling=options.in_force(options.resolve(turns), options.endpointing(turns)),
            endpointing_overrides=options.endpointing(turns),
            stt_context_options=session_options.stt_context(context),
            max_tool_steps=max_tool_steps,
            user_away_timeout=user_away_timeout,
            transcription_timeout=transcription_timeout,
            min_consecutive_speech_delay=min_consecutive_speech_delay,
            use_tts_aligned_transcript=said(use_tts_aligned_transcript, None),
            tts_text_transforms=said(tts_text_transforms, polish.DEFAULT),
            ivr_detection=ivr_detection,
            aec_warmup_duration=said(aec_warmup_duration, None),
            session_close_transcript_timeout=session_close_transcript_timeout,
            recording_options=session_options.recording(False),
        )
        self.polish, self.chunker = polish.Polish(self.options.tts_text_transforms), tokenizer
        self.tools = arguments.tools("tools", said(tools, None))
        self.tool_handling = session_options.tool_handling(tool_handling)
        self.mcp_servers = said(deprecated.mcp_servers(old), None)
        self.expressive = session_options.expressive(expressive)
        self.video_sampler, self.vision = session_options.sampler(video_sampler), seen(vision)
        self.conn_options = options.connecting(conn_options)
        self.prices, self.budget = costs.check_prices(prices), costs.check_budget(budget)
        self.stt = models.STT.loaded(stt)
        self.vad = models.default_vad(vad)
        self.llm = models.seeing(models.LLM.loaded(llm), vision=self.vision)
        self.tts = models.TTS.loaded(tts)
        self.history = llms.ChatContext.empty()
        self.input = io.AgentInput(self._changed, self._changed, self._switched)
        self.output = io.AgentOutput(self._changed, self._changed, self._changed)
        self.captions = Captions(self.output)
        self._userdata = userdata
        self._run: Run | None = None

    # State.

    @property
    def userdata(self) -> Userdata_T:
        """The application's own; ArgumentError where it was given none."""
        if self._userdata is NOT_GIVEN:
            raise ArgumentError("this session has no userdata: pass userdata= to AgentSession")
        return cast("Userdata_T", self._userdata)

    @userdata.setter
    def userdata(self, value: Userdata_T) -> None:
        self._userdata = value

    @property
    def conversation(self) -> Conversation:
        """What runs between `start` and `aclose`; UsageError outside."""
        if self._run is None:
            raise UsageError("the session is not running: await session.start(agent) first")
        return self._run.conversation

    @property
    def current_agent(self) -> Agent:
        """The agent in charge, or the one that it hands over to."""
        return self.conversation.answers.following

    @property
    def current_speech(self) -> SpeechHandle | None:
        """The speech that has the floor."""
        speeches = self.conversation.speaking.in_line() if self._run else []
        return speeches[0][1] if speeches and self.conversation.line.holder else None

    @property
    def agent_state(self) -> str:
        """ "initializing" (before the start and after the close), "listening", "thinking" or
        "speaking"."""
        closed = self._run is None or self._run.closed.done()
        return "initializing" if closed else self.conversation.states.agent

    @property
    def user_state(self) -> str:
        """ "listening", "speaking" or "away"."""
        return self._run.conversation.states.user if self._run else "listening"

    @property
    def keyterms(self) -> list[str]:
        """Words that the recogniser is told to expect, with those that were found by detection."""
        if self._run is not None:
            return self._run.conversation.hearing.context.keyterms
        return list(self.options.stt_context_options["keyterms"])

    @property
    def timeline(self) -> Timeline:
        """The record of everything that happened; stays after the session has closed."""
        return self.conversation.timeline

    @property
    def usage(self) -> SessionUsage:
        """What the models have used, for each provider and model; stays after the close."""
        return self.conversation.usage.summary()

    @property
    def cost(self) -> SessionCost:
        """What they cost in dollars, by `prices` and the vendors' prices; stays after the close."""
        return self.conversation.usage.cost()

    @property
    def speaker(self) -> Output | None:
        """Where sound goes now; None when the session only writes."""
        return self._run.speaker if self._run else None

    # Life.

    @overload
    async def start(
        self, agent: Agent, *, capture_run: Literal[True], **more: Unpack[StartArguments]
    ) -> RunResult[None]: ...

    @overload
    async def start(
        self, agent: Agent, *, capture_run: Literal[False] = False, **more: Unpack[StartArguments]
    ) -> None: ...

    async def start(
        self,
        agent: Agent,
        *,
        capture_run: bool = False,
        room: NotGivenOr[rtc.Room | None] = NOT_GIVEN,
        room_options: NotGivenOr[RoomOptions] = NOT_GIVEN,
        session_host: NotGivenOr[bool] = NOT_GIVEN,
        record: NotGivenOr[bool | RecordingOptions] = NOT_GIVEN,
        **old: Unpack[deprecated.OldStartArguments],
    ) -> RunResult[None] | None:
        """Begin the conversation with `agent`; input and output are attached before or after.

        With `capture_run`, wait until all that `on_enter` begins is over, and return it.
        """
        deprecated.known(self.start, old, deprecated.OldStartArguments)
        arguments.agent("session.start", agent, Agent)._may_join_session(self)
        self.room_options = deprecated.room_options(room_options, old)
        self.options.recording_options = session_options.recording(record)
        if self._run is not None:
            raise UsageError("this session is running already; make a new one to start again")
        self.hosted, self._run = said(session_host, False), Run(self, agent)
        jobs.join(self, self._run, record)
        return await self._run.start(said(room, None), capture=capture_run)

    async def drain(self) -> None:
        """Wait until everything asked for has been said."""
        if self._run is not None:
            await self._run.drain()

    async def aclose(self) -> None:
        """End the conversation: speech is cut, words in flight are kept; waits for the end."""
        if self._run is not None:
            await self._run.close(jobs.close_reason(), None)

    def shutdown(self, *, drain: bool = True) -> None:
        """End the conversation without waiting for it."""
        if self._run is not None:
            self._run.shutdown(drain=drain)

    def end(self, reason: CloseReason, error: object = None) -> None:
        """End the conversation at once, for that reason."""
        if self._run is not None:
            self._run.shutdown(drain=False, reason=reason, error=error)

    async def wait_for_idle(self) -> Agent:
        """Wait until nobody speaks, and nothing is about to be said; gives the agent in charge.

        Tools may be running in the background. SessionClosed when the session closes first.
        """
        inside = INSIDE.get()
        await self.conversation.idle.wait(inside.agent if inside else None)
        return self.current_agent

    def update_agent(self, agent: Agent) -> None:
        """Hand over to `agent` when the current one has said what it is saying."""
        arguments.agent("session.update_agent", agent, Agent)._may_join_session(self)
        self.conversation.answers.hand_over(agent)

    def update_options(
        self,
        *,
        endpointing_opts: NotGivenOr[EndpointingOptions] = NOT_GIVEN,
        turn_detection: NotGivenOr[TurnDetectionMode | None] = NOT_GIVEN,
        keyterms: NotGivenOr[list[str]] = NOT_GIVEN,
        expressive: NotGivenOr[bool | ExpressiveOptions] = NOT_GIVEN,
        **old: Unpack[deprecated.OldUpdateArguments],
    ) -> None:
        """Change what is given, from now on; an agent's own options still hold over these."""
        deprecated.known(self.update_options, old, deprecated.OldUpdateArguments)
        changed = options.changed(deprecated.endpointing(endpointing_opts, old), turn_detection)
        self.options.update(changed, keyterms)
        self.expressive = said(session_options.expressive(expressive), self.expressive)
        if self._run is not None:
            self.conversation.obey(self.conversation.agent)
            self.conversation.hearing.context.expect(said(keyterms, None))

    # Reporting.

    @property
    def deciding(self) -> bool:
        return self._run is not None and self._run.conversation.deciding

    def _switched(self, enabled: bool) -> None:  # LiveKit calls it
        """The audio input was switched on or off."""
        if self._run is not None and not enabled:
            self._run.conversation.hearing.cease()

    def _changed(self, *_: object) -> None:
        """An input or output was attached, replaced, or taken away."""
        if self._run is not None:
            self._run.attach()
