"""Text to speech with no key: flite where Debian's library is installed, else espeak-ng.

A text goes to the engine in portions of at most 15 s of speech, so no text however long fills the
memory and no session waits long for another. An engine has one thread; the loop waits for its
next block of sound in `run_in_executor`, one call a block, so that on the virtual clock the same
text gives the same frames at the same time, however the threads run. Frames are 20 ms, and every
portion's word times come before its first.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import queue
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, Protocol

from livekit.agents import APIConnectOptions, APIError, APIStatusError, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice.io import TimedString

from antiphon.nodes.local import espeak, flite
from antiphon.nodes.local.script import Listener, Mark, Script, portions
from antiphon.nodes.local.threads import give_way
from antiphon.pipeline.errors import NodeError, NodeUnavailable, UsageError

logger = logging.getLogger("antiphon.local.tts")

AHEAD = 10.0
"""Seconds of sound made and not yet taken, at which synthesis waits for its listener."""
_UNSPEAKABLE = 499
"""LiveKit ends a request that fails with this status quietly, with no audio and no error."""


class _Engine(Protocol):
    def say(self, script: Script, voice: str, speed: float, listener: Listener) -> None: ...


class TTS(tts.TTS[str]):
    """A voice of this machine, with every word's time; no streaming input: one text, one request.

    `engine` "auto" takes flite when it is installed and has the voice, else espeak-ng. `voice` is
    the engine's own name ("rms", "slt" …; "en-us", "de" …). `speed` 1.0 is the voice's own pace.
    Raises NodeUnavailable, naming the command that helps, when the engine is not installed.
    """

    def __init__(
        self,
        *,
        engine: Literal["auto", "flite", "espeak"] = "auto",
        voice: str | None = None,
        speed: float = 1.0,
    ) -> None:
        if not 0.3 <= speed <= 3.0:
            raise UsageError(f"speed is 0.3 to 3.0 times the voice's own pace, not {speed}")

        self._engine = _choose(engine, voice)
        self._voice = voice or ("rms" if self._engine == "flite" else "en-us")
        self._speed = speed
        (flite if self._engine == "flite" else espeak).available(self._voice)
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False, aligned_transcript=True),
            sample_rate=flite.VOICES[self._voice] if self._engine == "flite" else 22050,
            num_channels=1,
        )

    @property
    def model(self) -> str:
        return f"local/{self._engine}"

    @property
    def provider(self) -> str:
        return "antiphon"

    @property
    def quality(self) -> str:
        """One honest line about how it sounds."""
        return flite.QUALITY if self._engine == "flite" else espeak.QUALITY

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> Speech:
        return Speech(
            tts=self,
            input_text=text,
            conn_options=conn_options,
            engine=self._engine,
            voice=self._voice,
            speed=self._speed,
        )


class Speech(tts.ChunkedStream):
    """One text being spoken. Mutable: seconds made and taken, and the call into the engine."""

    def __init__(
        self,
        *,
        tts: TTS,
        input_text: str,
        conn_options: APIConnectOptions,
        engine: str,
        voice: str,
        speed: float,
    ) -> None:
        self._spell = flite.spell if engine == "flite" else espeak.spell
        self._say = functools.partial(_say, engine, voice, speed)
        self._thread = _thread(engine)
        self._made = self._taken = 0.0
        self._took = asyncio.Event()
        super().__init__(tts=tts, input_text=input_text, conn_options=conn_options)

    @property
    def made(self) -> float:
        """Seconds of sound that the engine has made so far."""
        return self._made

    async def __anext__(self) -> tts.SynthesizedAudio:
        audio = await super().__anext__()
        self._taken += audio.frame.duration
        self._took.set()
        return audio

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        self._made = self._taken = 0.0
        unsaid = ""

        for portion in portions(self._input_text):
            script = Script(unsaid + portion, self._spell)
            if not script:
                unsaid += portion
                continue

            unsaid = ""
            await self._wait_for_listener()
            await self._speak(script, output_emitter)

        if not self._made:
            if any(letter.isalpha() for letter in unsaid):
                logger.warning("%s cannot read this script: nothing was said", self._tts.model)
            raise APIStatusError("there is nothing to say aloud", status_code=_UNSPEAKABLE)
        if unsaid:
            output_emitter.push_timed_transcript(
                TimedString(unsaid, start_time=self._made, end_time=self._made)
            )

    async def _wait_for_listener(self) -> None:
        while self._made - self._taken > AHEAD:
            self._took.clear()
            await self._took.wait()

    async def _speak(self, script: Script, emitter: tts.AudioEmitter) -> None:
        loop = asyncio.get_running_loop()
        rate = self._tts.sample_rate
        beginning = self._made
        call = _Call()
        work = self._thread.submit(self._say, script, call)
        work.add_done_callback(call.end)

        try:
            while (block := await loop.run_in_executor(_waiting(), call.next)) is not None:
                marks, pcm = block
                if not self._made:
                    self._open(emitter)
                for word in script.timed(marks):
                    start, end = beginning + word.start, beginning + word.end
                    emitter.push_timed_transcript(
                        TimedString(word.text, start_time=start, end_time=end)
                    )
                self._made += len(pcm) / 2 / rate
                for cut in range(0, len(pcm), rate // 5):
                    # A tenth of a second at a time: LiveKit's emitter makes all the frames of a
                    # push in one step of the loop, which others wait for.
                    emitter.push(pcm[cut : cut + rate // 5])
                    await asyncio.sleep(0)
        except NodeError as error:
            raise APIError(str(error), retryable=False) from error
        finally:
            call.stop()
            work.cancel()

    def _open(self, emitter: tts.AudioEmitter) -> None:
        emitter.initialize(
            request_id=utils.shortuuid("speech_"),
            sample_rate=self._tts.sample_rate,
            num_channels=1,
            mime_type="audio/pcm",
            frame_size_ms=20,
        )


_Block = tuple[Sequence[Mark], bytes]


class _Call:
    """A call into an engine: its thread fills it, block by block, and another empties it.

    Mutable: the blocks on their way, the marks that go with the next, whether more are wanted.
    """

    def __init__(self) -> None:
        self._blocks: queue.SimpleQueue[_Block | BaseException | None] = queue.SimpleQueue()
        self._marks: Sequence[Mark] = ()
        self._wanted = True

    def begin(self, marks: Sequence[Mark]) -> None:
        self._marks = marks

    def hear(self, pcm: bytes) -> bool:
        if pcm and self._wanted:
            self._blocks.put((self._marks, pcm))
            self._marks = ()

        return self._wanted

    def end(self, work: Future[None]) -> None:
        self._blocks.put(None if work.cancelled() else work.exception())

    def stop(self) -> None:
        """Want no more: the engine stops at its next callback, and nobody waits for it."""
        self._wanted = False
        self._blocks.put(None)

    def next(self) -> _Block | None:
        """Wait for the next block, in a thread; None after the last."""
        block = self._blocks.get()
        if isinstance(block, BaseException):
            raise block

        return block


def _choose(engine: str, voice: str | None) -> Literal["flite", "espeak"]:
    match engine:
        case "flite" | "espeak":
            return engine
        case "auto":
            if voice is not None and voice not in flite.VOICES:
                return "espeak"
            try:
                flite.available()
            except NodeUnavailable:
                return "espeak"
            return "flite"
        case _:
            raise UsageError(f"no engine is called {engine!r}: take 'auto', 'flite' or 'espeak'")


def _say(engine: str, voice: str, speed: float, script: Script, listener: Listener) -> None:
    # Made in the engine's own thread: it takes a few milliseconds.
    loaded: _Engine = flite.engine() if engine == "flite" else espeak.engine()
    loaded.say(script, voice, speed, listener)


@functools.cache
def _thread(engine: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, f"antiphon-{engine}", initializer=give_way)


@functools.cache
def _waiting() -> ThreadPoolExecutor:
    """Threads that only wait for an engine's; enough that no session waits for another's wait."""
    return ThreadPoolExecutor(max_workers=64, thread_name_prefix="antiphon-voice")
