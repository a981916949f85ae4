"""`AMD`: whether a human or a machine has answered an outbound call.

It hears what the session hears (or has a recogniser of its own), and a model judges the words.
Nothing is said before it is sure; what was to be said to a human is dropped for a machine.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from livekit import rtc
from livekit.agents import NOT_GIVEN, NotGivenOr, get_job_context, llm, stt
from livekit.agents.voice.amd import AMDCategory, AMDPredictionEvent
from livekit.agents.voice.amd import classifier as livekit

from antiphon import amd_ears
from antiphon.arguments import given, said
from antiphon.greeting import Greeting, Limits
from antiphon.ivr import Menu
from antiphon.nodes import models
from antiphon.pipeline.errors import ArgumentError, UsageError
from antiphon.pipeline.streams import Scope

if TYPE_CHECKING:
    from livekit.agents import (
        ConversationItemAddedEvent,
        UserInputTranscribedEvent,
        UserStateChangedEvent,
    )
    from livekit.agents.voice.amd.detector import DetectionOptions

    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.amd")

LONGEST_WAIT: Final = 10.0  # seconds a model may ask for at once, to hear more
WAITS: Final = 3  # times it may
DEFAULTS: Final[dict[str, Any]] = {
    "human_speech_threshold": livekit.HUMAN_SPEECH_THRESHOLD,
    "human_silence_threshold": livekit.HUMAN_SILENCE_THRESHOLD,
    "machine_silence_threshold": livekit.MACHINE_SILENCE_THRESHOLD,
    "no_speech_threshold": livekit.NO_SPEECH_THRESHOLD,
    "timeout": livekit.TIMEOUT,
    "prompt": livekit.AMD_PROMPT,
}


class AMD(rtc.EventEmitter[Literal["amd_prediction"]]):
    """Within `async with`, after `session.start`; `execute` waits for the verdict.

    Left out, `llm` and `stt` are the session's own. For a phone, listening begins when the call is
    taken (`sip.callStatus` is "active"): what rings before it is not heard.

    Mutable state: what was heard, the verdict once there is one, and a timer.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        *,
        llm: NotGivenOr[llm.LLM[Any] | str | None] = NOT_GIVEN,
        stt: NotGivenOr[stt.STT[Any] | str | None] = NOT_GIVEN,
        interrupt_on_machine: bool = True,
        ivr_detection: bool = True,
        participant_identity: NotGivenOr[str] = NOT_GIVEN,
        suppress_compatibility_warning: bool = False,
        detection_options: NotGivenOr[DetectionOptions] = NOT_GIVEN,
        wait_until_finished: bool = True,
    ) -> None:
        super().__init__()
        self._session = session
        self._llm = models.LLM.loaded(said(llm, None))
        self._stt = models.STT.loaded(said(stt, None))
        self._interrupts = interrupt_on_machine
        self._navigates = ivr_detection
        self._identity = said(participant_identity, None)
        self._options = dict(detection_options) if given(detection_options) else {}
        if unknown := self._options.keys() - {*DEFAULTS, "max_endpointing_delay"}:
            raise ArgumentError(f"detection_options has no {', '.join(sorted(unknown))}")
        self._finish = wait_until_finished
        self._scope = Scope("amd")
        self._greeting: Greeting | None = None
        self._result: AMDPredictionEvent | None = None
        self._done: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._judging: asyncio.Task[None] | None = None
        self._waits = 0

    @property
    def enabled(self) -> bool:
        """It was entered, and not closed."""
        return self._done is not None and not self._scope.closing

    @property
    def _over(self) -> bool:
        """There is a verdict, or no call any more."""
        return self._done is None or self._done.done()

    @property
    def pending(self) -> bool:
        """There is no verdict yet."""
        return self.enabled and self._result is None

    @property
    def started(self) -> bool:
        """It listens."""
        return self.pending and self._greeting is not None

    @property
    def takes_turns(self) -> bool:
        """What is said to the agent is said by a machine, and not to be answered."""
        return self._interrupts and self._result is not None and self._result.is_machine

    async def execute(self) -> AMDPredictionEvent:
        """Wait for the verdict; RuntimeError when the session closes before there is one."""
        if self._done is not None:
            await asyncio.wait([self._done])
        if self._result is None:
            raise RuntimeError("amd closed before a result was available")
        return self._result

    async def __aenter__(self) -> Self:
        session = self._session
        if session.amd is not None:
            raise UsageError("another AMD listens to this session: leave that one first")
        model = self._llm or session.llm
        if not isinstance(model, llm.LLM):
            raise ValueError("AMD needs a model to judge what is said: pass llm=")
        self._model = model
        if session.menu is not None:
            logger.warning(
                "ivr_detection of the session gives way to AMD, which begins it if it is to"
            )
            session.menu.close()
        self._done = asyncio.get_running_loop().create_future()
        session.conversation.line.hold(True)
        session.amd = self
        session.on("user_state_changed", self._voice)
        session.on("user_input_transcribed", self._transcribed)
        session.on("conversation_item_added", self._turn)
        session.on("close", self._closed)
        self._scope.start("listen", self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Listen no more; what waits to be said is said."""
        if not self.enabled:
            return
        session = self._session
        session.off("user_state_changed", self._voice)
        session.off("user_input_transcribed", self._transcribed)
        session.off("conversation_item_added", self._turn)
        session.off("close", self._closed)
        session.amd = None
        self._end()
        await self._scope.close()

    def _closed(self, _: object = None) -> None:
        self._end()

    def _end(self) -> None:
        """Nobody waits any more: for the verdict, nor for the floor."""
        if self._timer is not None:
            self._timer.cancel()
        if self._done is not None and not self._done.done():
            self._done.set_result(None)
        self._session.conversation.line.hold(False)

    # Listening.

    async def _listen(self) -> None:
        try:
            timeout = self._limits().timeout
            track = await amd_ears.answering(self._session, self._identity, timeout)
        except (RuntimeError, TimeoutError) as error:
            logger.debug("there is nobody to listen to: %s", error)
            self._settle(AMDCategory.UNCERTAIN, "participant_missing")
            return
        now = asyncio.get_running_loop().time()
        self._greeting = Greeting(self._limits(), now)
        if self._session.user_state == "speaking":
            self._greeting.voice_began(now)
        self._look()
        if self._stt is not None and track is not None:
            await self._recognise(self._stt, track)

    def _limits(self) -> Limits:
        options = {**DEFAULTS, **self._options}
        endpointing = self._session.options.endpointing["max_delay"]
        return Limits(
            options["human_speech_threshold"],
            options["human_silence_threshold"],
            options["machine_silence_threshold"],
            options["no_speech_threshold"],
            options["timeout"],
            options.get("max_endpointing_delay", endpointing),
            self._finish,
        )

    async def _recognise(self, engine: stt.STT[Any], track: rtc.Track) -> None:
        """With a recogniser of its own; with the session's, once that one fails."""
        try:
            await amd_ears.recognise(engine, track, self._scope, self._words)
        except Exception as error:
            logger.warning("the recogniser of AMD failed, the session's is listened to: %s", error)
            self._stt = None

    # What the session tells.

    def _voice(self, event: UserStateChangedEvent) -> None:
        if self._greeting is None:
            return
        memory = self._session.conversation.memory
        at = asyncio.get_running_loop().time() - (memory.wall() - event.created_at)
        if event.new_state == "speaking":
            self._greeting.voice_began(at)
        else:
            self._greeting.voice_ended(at)
        self._look()

    def _transcribed(self, event: UserInputTranscribedEvent) -> None:
        if event.is_final and self._stt is None:
            self._words(event.transcript)

    def _turn(self, event: ConversationItemAddedEvent) -> None:
        if self._greeting is not None and getattr(event.item, "role", "") == "user":
            self._greeting.turn_over = True
            self._look()

    def _words(self, text: str) -> None:
        if self._greeting is None or self._result is not None or not text:
            return
        self._greeting.words(text, asyncio.get_running_loop().time())
        self._ask()
        self._look()

    # The verdict.

    def _look(self) -> None:
        """Is it known by now? Else look again when it may be."""
        if self._timer is not None:
            self._timer.cancel()
        if self._greeting is None or self._over:
            return
        loop = asyncio.get_running_loop()
        if found := self._greeting.verdict(loop.time()):
            self._settle(*found)
        elif (deadline := self._greeting.deadline(loop.time())) is not None:
            self._timer = loop.call_at(deadline, self._look)

    def _settle(self, category: AMDCategory, reason: str) -> None:
        if self._over:
            return
        heard = self._greeting
        since = heard.quiet_since if heard else None
        self._result = AMDPredictionEvent(
            category=category,
            reason=reason,
            transcript=heard.text if heard else "",
            speech_duration=heard.seconds if heard else 0.0,
            delay=asyncio.get_running_loop().time() - since if since is not None else 0.0,
        )
        logger.info("the call was answered by: %s (%s)", category.value, reason)
        if self._judging is not None:
            self._judging.cancel()
        if self.takes_turns:
            self._session.interrupt(force=True)
        if category is AMDCategory.MACHINE_IVR and self._navigates:
            Menu(self._session, self._result.transcript)
        if (job := get_job_context(required=False)) is not None:
            job.tagger.add(f"lk.amd:{category.value}", metadata={"reason": reason})
        self._end()
        self.emit("amd_prediction", self._result)

    def _ask(self) -> None:
        """Have the model judge all that was said so far."""
        if self._judging is not None:
            self._judging.cancel()
        assert self._greeting is not None
        self._judging = self._scope.start("judge", self._judge(self._greeting))

    async def _judge(self, greeting: Greeting) -> None:
        context = llm.ChatContext.empty()
        prompt = str(self._options.get("prompt", DEFAULTS["prompt"]))
        context.add_message(role="system", content=prompt)
        context.add_message(role="user", content=greeting.text)
        tools: list[llm.Tool] = [llm.function_tool(save_prediction)]
        if self._waits < WAITS:
            tools.append(llm.function_tool(postpone_termination))
        try:
            stream = self._model.chat(chat_ctx=context, tools=tools, tool_choice="required")
            answer = await stream.collect()
        except Exception as error:
            logger.warning("the model that judges a greeting failed: %s", error)
            return
        for call in answer.tool_calls:
            self._judged(greeting, call.name, call.arguments)
        self._look()

    def _judged(self, greeting: Greeting, name: str, arguments: str) -> None:
        try:
            told = json.loads(arguments or "{}")
            if name == save_prediction.__name__:
                label = AMDCategory(told["label"])
                greeting.judged = label if label is not AMDCategory.UNCERTAIN else greeting.judged
            elif name == postpone_termination.__name__:
                wait = min(float(told["seconds"]), LONGEST_WAIT)
                greeting.not_before = asyncio.get_running_loop().time() + wait
                self._waits += 1
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("the model that judges a greeting said nothing of use: %s", error)


async def save_prediction(label: AMDCategory) -> None:
    """Say who has answered the call."""


async def postpone_termination(seconds: float) -> None:
    """Wait for more of the greeting, for so many seconds (10 at most)."""
