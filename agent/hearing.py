"""The session's ears: audio in, what the turn machine is told out.

A frame costs no task: it is pushed into the detector (inline where the detector can) and into the
recogniser's stream. Either is started again when it fails.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc
from livekit.agents import ModelSettings, stt, vad

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
from antiphon.pipeline.streams import Scope, Stream
from antiphon.realtime_turns import Words
from antiphon.stt_context import SttContext
from antiphon.unheard import known

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

EventType = stt.SpeechEventType


class Hearing:
    """Mutable state: the detector, the stream to the recogniser, and who is listened to."""

    def __init__(self, agent: Agent, conversation: Conversation, scope: Scope) -> None:
        self._agent = agent
        self._conversation = conversation
        self._scope = scope
        self._audio: Stream[rtc.AudioFrame] | None = None
        self._flushes: list[Callable[[], None]] = []
        self._detecting = Detecting(scope, lambda: conversation.faults, self._on_edge)
        self._deafness = Deafness(conversation)
        self.context = SttContext(conversation, scope)
        self._stt: stt.STT[Any] | None = None
        self._recognising: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._final: asyncio.Future[None] | None = None  # somebody waits for the last words

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
        """Where a realtime model says when turns begin and end, no other does."""
        wanted = None if self._conversation.realtime.detecting else self._agent.vad
        if wanted is not self._detecting.vad:
            self._detecting.open(wanted)

    def _open_recogniser(self) -> None:
        self._stt = self._agent.stt
        self.context.follow(self._stt)
        if self._recognising is not None:
            self._retire(self._recognising)
            self._recognising = self._audio = None
            self._flushes = []
        if self._agent.stt is not None or self._agent._overrides("stt_node"):
            FLUSHES.set(self._flushes)
            self._recognising = self._scope.start("recognition", self._recognise(self._agent))

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
        self._conversation.end_of_turn.hear(frame)
        self._conversation.overlap.hear(frame)
        self._detecting.hear(frame)

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
        self._conversation.observe(VoiceStarted(at, self._conversation.speaking.invites_answer()))

    async def _recognise(self, agent: Agent) -> None:
        """Run the node, again whenever it fails or ends while there is somebody to listen to."""
        settings = ModelSettings()
        told = False  # that it ends without a word, which is news once
        while self._recognising is asyncio.current_task():  # and no other has taken over
            self._audio = Stream(10**9, name="stt/audio")
            audio = self._audio
            gave = False
            async with Scope("stt") as scope:
                node = partial(agent.stt_node, audio, settings)
                try:
                    async for _ in scope.pipe("node", self._read_words(node, scope), ahead=0):
                        gave, told = True, False
                except Exception as error:
                    self._conversation.faults.failed("stt", error)
                else:
                    if not (gave or told or audio.ended):
                        told = True
                        why = "stt_node ended without a word; it is started again"
                        self._conversation.faults.failed("stt", NodeError(why))
                audio.close()
            await asyncio.sleep(RETRY)

    async def _read_words(
        self, node: Callable[[], object], scope: Scope
    ) -> AsyncGenerator[None, None]:
        """Runs in the node's leaf task, so that words wait for no other; gives one item, when the
        first words came. Words of a node that would not stop when it was told to are nobody's."""
        gave = False
        events: AsyncIterator[stt.SpeechEvent | str] = await opened(node)
        try:
            async for event in events:
                if scope.closing:
                    return
                self._conversation.faults.recovered("stt")
                self._on_speech(event)
                if not gave:
                    gave = True
                    yield
        finally:
            await closed(events)

    def _on_speech(self, event: stt.SpeechEvent | str) -> None:
        if isinstance(event, str):
            self._words(event, final=True, language=None)
        elif event.type is EventType.FINAL_TRANSCRIPT:
            self._words(_text(event), final=True, language=_language(event))
        elif event.type in (EventType.INTERIM_TRANSCRIPT, EventType.PREFLIGHT_TRANSCRIPT):
            self._words(_text(event), final=False, language=_language(event))
        elif not self._detecting.alive and event.type is EventType.START_OF_SPEECH:
            self._voice_started(asyncio.get_running_loop().time())
        elif event.type is EventType.END_OF_SPEECH and (
            not self._detecting.alive or self._recogniser_ends
        ):
            self._conversation.observe(VoiceStopped(asyncio.get_running_loop().time()))

    def _words(self, text: str, *, final: bool, language: str | None) -> None:
        conversation, text = self._conversation, whole(text)
        if conversation.realtime.detecting and not known(conversation.machine.text):
            conversation.realtime.ears.words(Words(text), final=final)
        else:
            conversation.transcribed(text, final=final, language=language)
            answers = conversation.speaking.invites_answer()
            conversation.observe(Transcript(text, final, language, answers))
        if final and self._final is not None and not self._final.done():
            self._final.set_result(None)


def _text(event: stt.SpeechEvent) -> str:
    return event.alternatives[0].text if event.alternatives else ""


def _language(event: stt.SpeechEvent) -> str | None:
    return str(event.alternatives[0].language) or None if event.alternatives else None
