"""`AgentSession`: models, options, input and output, and a conversation while it runs."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Generic, Literal, cast

from livekit.agents import NOT_GIVEN, CloseReason, NotGivenOr, io
from livekit.agents import llm as llms
from typing_extensions import TypeVar  # with a default, before 3.13

from antiphon import asked, options
from antiphon.lifecycle import Run
from antiphon.nodes import models
from antiphon.nodes.polish import DEFAULT as DEFAULT_TRANSFORMS
from antiphon.nodes.polish import Polish
from antiphon.options import ConnectOptions
from antiphon.pipeline import observations as o
from antiphon.pipeline.errors import UsageError
from antiphon.pipeline.sentences import Sentences
from antiphon.reporting import Reporting
from antiphon.states import Captions

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Sequence

    from livekit import rtc
    from livekit.agents import TurnHandlingOptions, stt, tts, vad
    from livekit.agents.llm.chat_context import Instructions
    from livekit.agents.metrics import AgentSessionUsage

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.nodes.polish import Transform
    from antiphon.pipeline.playout import Output
    from antiphon.pipeline.source import Chunker
    from antiphon.pipeline.timeline import Timeline
    from antiphon.speech import SpeechHandle

logger = logging.getLogger("antiphon.session")

Userdata_T = TypeVar("Userdata_T", default=Any)


class AgentSession(Reporting, Generic[Userdata_T]):
    """A voice conversation. Models are LiveKit objects or strings (see `nodes.models`).

    Left out, `vad` is the built-in webrtcvad; `None` is none. `tokenizer` makes the object that
    cuts a reply's text for speaking: `pipeline.sentences`, or `nodes.tokenizers` over LiveKit's.
    """

    def __init__(
        self,
        *,
        stt: stt.STT[Any] | str | None = None,
        vad: NotGivenOr[vad.VAD | str | None] = NOT_GIVEN,
        llm: llms.LLM[Any] | str | None = None,
        tts: tts.TTS[Any] | str | None = None,
        turn_handling: TurnHandlingOptions | None = None,
        userdata: NotGivenOr[Userdata_T] = NOT_GIVEN,
        tts_text_transforms: Sequence[Transform] | None = DEFAULT_TRANSFORMS,
        tokenizer: Callable[[], Chunker] = Sentences,
        user_away_timeout: float | None = 15.0,
        session_close_transcript_timeout: float = 2.0,
        conn_options: ConnectOptions | None = None,
        tools: list[llms.Tool | llms.Toolset] | None = None,
        max_tool_steps: int = 3,
        min_consecutive_speech_delay: float = 0.0,
    ) -> None:
        super().__init__()
        self.stt = models.loaded(models.load_stt, stt)
        self.vad = models.default_vad(vad)
        self.llm = models.loaded(models.load_llm, llm)
        self.tts = models.loaded(models.load_tts, tts)
        self.options = options.resolve(turn_handling)
        self.polish, self.chunker = Polish(tts_text_transforms), tokenizer
        self.tools = list(tools or [])
        self.max_tool_steps = max_tool_steps
        self.min_consecutive_speech_delay = min_consecutive_speech_delay
        self.user_away_timeout = user_away_timeout
        self.close_timeout = session_close_transcript_timeout
        self.conn_options = conn_options or ConnectOptions()
        self.captions, self.history = Captions(), llms.ChatContext.empty()
        self.input = io.AgentInput(_nothing, self._changed)
        self.output = io.AgentOutput(_nothing, self._changed, self._changed)
        self._userdata = userdata
        self._run: Run | None = None

    # State.

    @property
    def userdata(self) -> Userdata_T:
        if self._userdata is NOT_GIVEN:
            raise UsageError("this session has no userdata: pass userdata= to AgentSession")
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
        return self.conversation.agent

    @property
    def current_speech(self) -> SpeechHandle | None:
        """The speech that has the floor."""
        speeches = self.conversation.speaking.in_line() if self._run else []
        return speeches[0][1] if speeches and self.conversation.line.holder else None

    @property
    def agent_state(self) -> str:
        return self._run.conversation.states.agent if self._run else "initializing"

    @property
    def user_state(self) -> str:
        return self._run.conversation.states.user if self._run else "listening"

    @property
    def timeline(self) -> Timeline:
        """The record of everything that happened; stays after the session has closed."""
        return self.conversation.timeline

    @property
    def usage(self) -> AgentSessionUsage:
        """What the models have used, for each provider and model; stays after the close."""
        return self.conversation.usage.summary()

    @property
    def speaker(self) -> Output | None:
        """Where sound goes now; None when the session only writes."""
        return self._run.speaker if self._run else None

    # Life.

    async def start(self, agent: Agent, *, room: rtc.Room | None = None, **_: object) -> None:
        """Begin the conversation with `agent`; input and output are attached before or after."""
        if self._run is not None:
            raise UsageError("this session is running already; make a new one to start again")
        self._run = run = Run(self, agent)
        await run.start(room)

    async def drain(self) -> None:
        """Wait until everything asked for has been said."""
        if self._run is not None:
            await self._run.drain()

    async def aclose(self) -> None:
        """End the conversation: speech is cut, words in flight are kept; waits for the end."""
        if self._run is not None:
            await self._run.close(CloseReason.USER_INITIATED, None)

    def shutdown(self, *, drain: bool = True) -> None:
        """End the conversation without waiting for it."""
        if self._run is not None:
            self._run.shutdown(drain=drain)

    def give_up(self, error: object) -> None:
        """End the conversation because a model keeps failing."""
        if self._run is not None:
            self._run.shutdown(drain=False, reason=CloseReason.ERROR, error=error)

    def update_agent(self, agent: Agent) -> None:
        """Hand over to `agent` when the current one has said what it is saying."""
        self.conversation.answers.hand_over(agent)

    # Speaking.

    def say(
        self,
        text: str | AsyncIterable[str],
        *,
        audio: NotGivenOr[AsyncIterable[rtc.AudioFrame]] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        add_to_chat_ctx: bool = True,
    ) -> SpeechHandle:
        """Say `text`; with `audio`, play that instead of asking a voice."""
        return asked.say(
            self.conversation,
            text,
            None if audio is NOT_GIVEN else cast("AsyncIterable[rtc.AudioFrame]", audio),
            allow_interruptions,
            remembered=add_to_chat_ctx,
        )

    def generate_reply(
        self,
        *,
        user_input: NotGivenOr[str | llms.ChatMessage] = NOT_GIVEN,
        instructions: NotGivenOr[str | Instructions] = NOT_GIVEN,
        tool_choice: NotGivenOr[llms.ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[str]] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        chat_ctx: NotGivenOr[llms.ChatContext] = NOT_GIVEN,
        input_modality: Literal["text", "audio"] = "text",
    ) -> SpeechHandle:
        """Have the model speak; it sees the history as it is when its turn to speak comes."""
        asking = asked.Asking(
            instructions, chat_ctx, tool_choice, tools, allow_interruptions, input_modality
        )
        return asked.generate(self.conversation, user_input, asking)

    def interrupt(self, *, force: bool = False) -> asyncio.Future[None]:
        """End what is being said, and what waits to be said up to the first protected speech."""
        talk, loop = self.conversation, asyncio.get_running_loop()
        talk.speaking.interrupt_all(force=force)
        done: asyncio.Future[None] = loop.create_future()
        done.set_result(None)
        return done

    def commit_user_turn(
        self,
        *,
        transcript_timeout: float = 2.0,
        stt_flush_duration: float = 2.0,
        skip_reply: bool = False,
    ) -> asyncio.Future[str]:
        """End the user's turn now; the result is its text, once the last words have come."""
        return self.conversation.commit_turn(transcript_timeout, answer=not skip_reply)

    def clear_user_turn(self) -> None:
        """Throw away what the user has said in this turn."""
        self.conversation.observe(o.Clear())

    # Reporting.

    @property
    def deciding(self) -> bool:
        return self._run is not None and self._run.conversation.deciding

    def _changed(self, *_: object) -> None:
        """An input or output was attached, replaced, or taken away."""
        self.captions.attach(
            self.output.transcription if self.output.transcription_enabled else None
        )
        if self._run is not None:
            self._run.attach()


def _nothing() -> None:
    """Video has no place here yet."""
