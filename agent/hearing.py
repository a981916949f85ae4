"""The session's ears: audio in, what the turn machine is told out.

A frame costs no task: it is pushed into the detector (inline where the detector can) and into the
recogniser's stream. Either is started again when it fails.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from livekit import rtc
from livekit.agents import APIError, ModelSettings, stt, vad

from antiphon.deafness import Deafness, silent
from antiphon.detecting import RETRY, Detecting, silence
from antiphon.nodes.edge import closed, opened, whole
from antiphon.nodes.stt import FLUSHES
from antiphon.pipeline.errors import NodeError
from antiphon.pipeline.observations import (
    Transcript,
    VoiceFaded,
    VoiceStarted,
    VoiceStopped,
)
from antiphon.pipeline.streams import Scope, Silent, Stream
from antiphon.realtime_turns import Words
from antiphon.recall import Recall
from antiphon.stt_context import SttContext
from antiphon.unheard import known, recognised

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from livekit.agents import io

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation

logger = logging.getLogger("antiphon.hearing")

LAST_WORDS: Final = 2.0  # seconds that a recogniser which is replaced has for what it heard
SILENCE_RATE: Final = 16_000  # samples per second
BEHIND: Final = 30.0  # seconds of audio that may wait for the recogniser
FEW: Final = 100  # frames, which are less than that
REFUSED: Final = 30.0  # seconds after which what was refused is asked for though nobody speaks

EventType = stt.SpeechEventType
# What says nothing of a recogniser's health: a detector's edges, guesses at sound heard again.
UNCERTAIN: Final = (
    *(EventType.START_OF_SPEECH, EventType.END_OF_SPEECH),
    *(EventType.INTERIM_TRANSCRIPT, EventType.PREFLIGHT_TRANSCRIPT),
)


class Hearing:
    """Mutable state: the detector, and one beside a model's; the stream to the recogniser; and who
    is listened to."""

    def __init__(self, agent: Agent, conversation: Conversation, scope: Scope) -> None:
        self._agent = agent
        self._conversation = conversation
        self._scope = scope
        self._audio: Stream[rtc.AudioFrame] | None = None
        self._flushes: list[Callable[[], None]] = []
        self._detecting = Detecting(scope, lambda: conversation.faults, self._on_edge)
        witness = conversation.realtime.ears.witness
        self._beside = Detecting(scope, lambda: conversation.faults, witness)
        self._deafness = Deafness(conversation)
        self._recall = Recall()
        self.context = SttContext(conversation, scope)
        self._stt: stt.STT[Any] | None = None
        self._recognising: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._final: asyncio.Future[None] | None = None  # somebody waits for the last words
        self._given: Stream[None] | None = None  # what the node that runs says of its words
        self._voice: asyncio.Future[None] | None = None  # a recogniser waits for a voice

    def start(self) -> None:
        """Open the detector and the recogniser."""
        self._open_detector()
        self._open_recogniser()

    def follow(self, agent: Agent) -> None:
        """Another agent is in charge: keep what both have in common, open what is its own."""
        old, self._agent = self._agent, agent
        self._open_detector()
        same_node = type(agent).stt_node is type(old).stt_node
        if agent.stt is not self._stt or not same_node or agent._overrides("stt_node"):
            self._open_recogniser()

    def _open_detector(self) -> None:
        """Where a realtime model says when turns begin and end, no other does; ours beside it
        notices when it is deaf."""
        ours, beside = self._agent.vad, None
        if self._conversation.realtime.detecting:
            ours, beside = beside, ours
        for detecting, wanted in ((self._detecting, ours), (self._beside, beside)):
            if wanted is not detecting.vad:
                detecting.open(wanted)

    def _open_recogniser(self) -> None:
        self._stt = self._agent.stt
        self.context.follow(self._stt)
        if self._recognising is not None:
            self._retire(self._recognising)
            self._recognising = self._audio = None
            self._flushes = []
            self._recall.understood()  # or soon will be
        if recognised(self._agent):
            FLUSHES.set(self._flushes)
            self._recognising = self._scope.start(
                "recognition", self._recognise(self._agent, next(self._conversation.recognisers))
            )

    def start_again(self) -> None:
        """The recogniser gives nothing: another one is given what this one has not understood."""
        if self._given is not None:
            self._given.end(Silent())

    def _retire(self, recognising: asyncio.Task[None]) -> None:
        """Let a recogniser finish the words that it is hearing, and end it."""
        if self._audio is None or not self._conversation.machine.unfinished:
            recognising.cancel()
            return
        self.flush()
        self._audio.end()
        asyncio.get_running_loop().call_later(LAST_WORDS, recognising.cancel)

    @property
    def attached(self) -> bool:
        """Somebody can be heard."""
        return self._listening is not None and self._conversation.session.input.audio_enabled

    def quiet(self, seconds: float) -> None:
        """Let the recogniser hear silence."""
        if self._audio is not None and not self._audio.ended:
            samples = int(seconds * SILENCE_RATE)
            silence = bytes(2 * samples)
            self._audio.put_nowait(rtc.AudioFrame(silence, SILENCE_RATE, 1, samples))

    @property
    def recognises(self) -> bool:
        """There is a recogniser."""
        return self._audio is not None

    def attach(self, source: io.AudioInput | None) -> None:
        """Listen to `source` from now on, and to nothing else."""
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None
        if source is not None:
            self._listening = self._scope.start("ears", self._listen(source))

    def cease(self) -> None:
        """No sound comes any more: whoever was speaking has stopped."""
        self._detecting.forget()
        self._beside.forget()
        self._conversation.observe(VoiceStopped(asyncio.get_running_loop().time()))

    def hear(self, frame: rtc.AudioFrame) -> None:
        """One frame of the user's audio, of any rate; never waits."""
        if deaf := self._deafness.whole:
            frame = silent(frame)
        unheard = not deaf and self._deafness.of_words
        self._conversation.realtime.hear(silent(frame) if unheard else frame)
        if self._audio is not None and not self._audio.ended:
            if self._audio.size > FEW and self._audio.size * frame.duration > BEHIND:
                logger.warning("the recogniser is %g s behind; audio is skipped", BEHIND)
                self._audio.close()
            else:
                self._audio.put_nowait(silent(frame) if unheard else frame)
        if self._recognising is not None and not (deaf or unheard):
            self._recall.keep(frame, voiced=self._conversation.machine.unfinished)
        self._conversation.end_of_turn.hear(frame)
        self._conversation.overlap.hear(frame)
        self._detecting.hear(frame)
        self._beside.hear(frame)

    def flush(self) -> None:
        """Ask the recogniser for its final words, where it can be asked."""
        for flush in self._flushes:
            try:
                flush()
            except Exception as error:  # its input has ended meanwhile, or it is at fault
                logger.warning(
                    "the recogniser was not flushed: %s: %s", type(error).__name__, error
                )

    async def last_words(self, timeout: float) -> None:
        """Let the recogniser finish what the user is saying, for `timeout` seconds at most."""
        if self._audio is None or not self._conversation.machine.awaited:
            return
        self._final = asyncio.get_running_loop().create_future()
        self.flush()
        self._audio.end()
        await asyncio.wait([self._final], timeout=timeout)

    async def _listen(self, source: io.AudioInput) -> None:
        session = self._conversation.session
        try:
            async for frame in source:
                if session.input.audio_enabled:
                    self.hear(frame)
        except Exception as error:
            self._conversation.faults.failed("input", error)

    def _on_edge(self, event: vad.VADEvent) -> None:
        now = asyncio.get_running_loop().time()
        if event.type is vad.VADEventType.START_OF_SPEECH:
            self._voice_started(now - event.speech_duration - event.inference_duration)
        elif event.type is vad.VADEventType.END_OF_SPEECH:
            at = now - event.silence_duration - event.inference_duration
            self._conversation.observe(VoiceStopped(at, ends=not self._recogniser_ends))
        elif self._conversation.machine.gen is not None:  # of interest over a reply only
            silent_for = silence(event)
            self._conversation.observe(VoiceFaded(now - silent_for if silent_for else None))

    @property
    def _recogniser_ends(self) -> bool:
        """The recogniser says when a turn ends, and the detector does not."""
        return self._conversation.options["turn_detection"] == "stt" and self.recognises

    def _voice_started(self, at: float) -> None:
        if self._voice is not None and not self._voice.done():
            self._voice.set_result(None)
        self._conversation.observe(VoiceStarted(at, self._conversation.speaking.invites_answer()))

    async def _recognise(self, agent: Agent, number: int) -> None:
        """Run the node, again whenever it fails or ends while there is somebody to listen to."""
        settings = ModelSettings()
        told = again = False  # that it ends without a word, which is news once
        while self._recognising is asyncio.current_task():  # and no other has taken over
            audio = self._audio = self._heard(again=again)
            gave, failure = False, cast("Exception | None", None)
            async with Scope("stt") as scope:
                node = partial(agent.stt_node, audio, settings)
                self._given = scope.pipe("node", self._read_words(node, number, scope), ahead=0)
                try:
                    async for _ in self._given:
                        gave, told = True, False
                except Silent as error:
                    failure = error
                except Exception as error:
                    failure = error
                    self._conversation.faults.failed("stt", error)
                else:
                    if not (gave or told or audio.ended):
                        told = True
                        why = "stt_node ended without a word; it is started again"
                        self._conversation.faults.failed("stt", NodeError(why))
                audio.close()
            again = isinstance(failure, APIError | Silent)  # else the sound itself may be at fault
            await self._until_it_is_needed(failure)

    def _heard(self, *, again: bool) -> Stream[rtc.AudioFrame]:
        """What a recogniser listens to; `again`: first to what the last one has not understood."""
        audio: Stream[rtc.AudioFrame] = Stream(10**9, name="stt/audio")
        for frame in self._recall.frames() if again else ():
            audio.put_nowait(frame)
        return audio

    async def _until_it_is_needed(self, failure: Exception | None) -> None:
        """What was refused for good (a wrong key) is asked for again when somebody speaks."""
        if not isinstance(failure, APIError) or failure.retryable:
            await asyncio.sleep(RETRY)
            return
        self._voice = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._voice], timeout=REFUSED)

    async def _read_words(
        self, node: Callable[[], object], number: int, scope: Scope
    ) -> AsyncGenerator[None, None]:
        """Runs in the node's leaf task, so that words wait for no other; gives one item, when the
        first words came. Words of a node that would not stop when it was told to are nobody's."""
        gave = False
        events: AsyncIterator[stt.SpeechEvent | str] = await opened(node)
        try:
            async for event in events:
                if scope.closing:
                    return
                if isinstance(event, str) or event.type not in UNCERTAIN:
                    self._conversation.faults.recovered("stt")
                self._on_speech(event, number)
                if not gave:
                    gave = True
                    yield
        finally:
            await closed(events)

    def _on_speech(self, event: stt.SpeechEvent | str, number: int) -> None:
        if isinstance(event, str):
            self._words(event, number, final=True, language=None)
        elif event.type is EventType.FINAL_TRANSCRIPT:
            self._words(_text(event), number, final=True, language=_language(event))
        elif event.type in (EventType.INTERIM_TRANSCRIPT, EventType.PREFLIGHT_TRANSCRIPT):
            self._words(_text(event), number, final=False, language=_language(event))
        elif not self._detecting.alive and event.type is EventType.START_OF_SPEECH:
            self._voice_started(asyncio.get_running_loop().time())
        elif event.type is EventType.END_OF_SPEECH and (
            not self._detecting.alive or self._recogniser_ends
        ):
            self._conversation.observe(VoiceStopped(asyncio.get_running_loop().time()))

    def _words(self, text: str, number: int, *, final: bool, language: str | None) -> None:
        conversation, text = self._conversation, whole(text)
        if conversation.realtime.detecting and not known(conversation.machine.text):
            conversation.realtime.ears.words.told(Words(text), final=final)
        else:
            conversation.transcribed(text, final=final, language=language)
            answers = conversation.speaking.invites_answer()
            conversation.observe(Transcript(text, final, language, answers, number))
        if final:
            self._recall.understood()
        if final and self._final is not None and not self._final.done():
            self._final.set_result(None)


def _text(event: stt.SpeechEvent) -> str:
    return event.alternatives[0].text if event.alternatives else ""


def _language(event: stt.SpeechEvent) -> str | None:
    return str(event.alternatives[0].language) or None if event.alternatives else None
