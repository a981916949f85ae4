"""A simulated caller's voice, as a detector and a recogniser report it, and these two.

An utterance is turned into cues when it begins: voice noticed, an interim for each word, voice
gone, a final. `Ears` says how long each takes. `ScriptedVAD` and `ScriptedSTT` are LiveKit models
that report what the caller of the simulation they run in says, without looking at any audio.
"""

from __future__ import annotations

import asyncio
import dataclasses
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, stt, vad
from livekit.agents.stt import SpeechEvent, SpeechEventType
from livekit.agents.types import NOT_GIVEN

from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLER: ContextVar[Caller | None] = ContextVar("antiphon.caller", default=None)
"""The caller of the simulation that this code runs in."""

FRAME: Final = rtc.AudioFrame(bytes(640), 16_000, 1, 320)  # for adapters that want some audio


@dataclass(frozen=True, slots=True)
class Ears:
    """How quickly the caller is understood, in seconds; None: never."""

    noticed: float | None = 0.06  # from the beginning of a voice to the detector's saying so
    silent: float | None = 0.1  # from its end to the detector's saying so
    interim: float | None = 0.05  # from the end of a word to the interim transcript that has it
    final: float | None = 0.25  # from the last voice to the final transcript


@dataclass(frozen=True, slots=True)
class Piece:
    """Words, or a sound without any, from `begin` to `end` seconds after the utterance began."""

    text: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Cue:
    """What happens to the caller at one moment, in seconds since the call began."""

    at: float
    do: Callable[[Caller], object]


class Speech(asyncio.Queue[SpeechEvent]):
    """What the recognisers report. Whoever has begun to hear an utterance hears it to its end, as
    one does that is replaced in the middle of it; the next one is for who has begun to listen last.

    Mutable state: the tasks that have listened, the one that hears an utterance, and who waits.
    """

    def __init__(self) -> None:
        super().__init__()
        self._listeners: list[asyncio.Task[Any]] = []
        self._hearing: asyncio.Task[Any] | None = None
        self._news = asyncio.Event()

    def put_nowait(self, event: SpeechEvent) -> None:
        super().put_nowait(event)
        self._news.set()

    async def get(self) -> SpeechEvent:
        """What comes next, once it is for the task that asks."""
        here = asyncio.current_task()
        assert here is not None
        if here not in self._listeners:
            self._listeners.append(here)
            here.add_done_callback(self._gone)
        while self.empty() or (self._hearing or self._listeners[-1]) is not here:
            self._news.clear()
            await self._news.wait()
        event = self.get_nowait()
        self._hearing = here if event.type is SpeechEventType.INTERIM_TRANSCRIPT else None
        self._news.set()
        return event

    def _gone(self, task: asyncio.Task[Any]) -> None:
        self._listeners.remove(task)
        self._hearing = None if self._hearing is task else self._hearing
        self._news.set()


class Caller:
    """Who speaks to the agent.

    Mutable state: the detectors that listen, the events that the recogniser has not taken, and
    what has been recognised: `finals` for good, `unfinished` while no final has come.
    """

    def __init__(self) -> None:
        self.speech = Speech()
        self.utterances: list[str] = []  # for recognisers of whole utterances
        self.finals: list[str] = []
        self.unfinished = ""
        self._detectors: list[asyncio.Queue[vad.VADEvent]] = []

    @property
    def words(self) -> list[str]:
        """Every word recognised, in order."""
        return " ".join([*self.finals, self.unfinished]).split()

    def starts(self, noticed: float = 0.06) -> None:
        """The detector says that there is a voice, since `noticed` seconds."""
        self._report(vad.VADEventType.START_OF_SPEECH, speech_duration=noticed)

    def stops(self, silent: float = 0.1) -> None:
        """The detector says that there is none, since `silent` seconds."""
        self._report(vad.VADEventType.END_OF_SPEECH, silence_duration=silent)

    def says(self, text: str, *, final: bool) -> None:
        """The recogniser says that this was said since its last final transcript."""
        kind = SpeechEventType.FINAL_TRANSCRIPT if final else SpeechEventType.INTERIM_TRANSCRIPT
        self.understood(text, final=final)
        self.speech.put_nowait(transcript(kind, text))

    def understood(self, text: str, *, final: bool) -> None:
        """Note what was recognised."""
        self.unfinished = "" if final else text
        if final and text:
            self.finals.append(text)

    def detector(self) -> asyncio.Queue[vad.VADEvent]:
        """What a detector that begins to listen now is told."""
        self._detectors.append(asyncio.Queue())
        return self._detectors[-1]

    def _report(self, kind: vad.VADEventType, **durations: float) -> None:
        lasts: dict[str, Any] = {"speech_duration": 0.0, "silence_duration": 0.0, **durations}
        event = vad.VADEvent(type=kind, samples_index=0, timestamp=0.0, frames=[FRAME], **lasts)
        for detector in self._detectors:
            detector.put_nowait(event)


def cues(pieces: tuple[Piece, ...], at: float, ears: Ears, *, whole: bool = False) -> list[Cue]:
    """What detector and recogniser say of an utterance that begins at `at` seconds.

    A pause too short for the detector is none, and one too short for the recogniser leaves both
    parts in one transcript. With `whole` the recogniser is given utterances by the detector.
    """
    found: list[Cue] = []
    said: list[str] = []  # since the last final
    sounding = False
    for piece, following in zip(pieces, (*pieces[1:], None), strict=True):
        begin, end = at + piece.begin, at + piece.end
        pause = None if following is None else at + following.begin - end
        if not sounding and ears.noticed is not None:
            found.append(Cue(begin + ears.noticed, _starting(ears.noticed)))
        words = piece.text.split()
        if not whole:
            found += _interims(said, words, begin, end, ears)
        said += words
        sounding = pause is not None and (ears.silent is None or pause < ears.silent)
        if not sounding and ears.silent is not None:
            found.append(Cue(end + ears.silent, _stopping(ears.silent)))
            if whole:
                found.append(Cue(end + ears.silent, _uttering(" ".join(said))))
                said = []
        ends = ears.final is not None and (pause is None or pause >= ears.final)
        if said and ends and not whole:
            found.append(Cue(end + (ears.final or 0.0), _saying(" ".join(said), final=True)))
            said = []
    return found


def _interims(
    said: list[str], words: list[str], begin: float, end: float, ears: Ears
) -> Iterator[Cue]:
    if ears.interim is None:
        return
    for n in range(1, len(words) + 1):
        at = begin + (end - begin) * n / len(words) + ears.interim
        yield Cue(at, _saying(" ".join([*said, *words[:n]]), final=False))


def _starting(noticed: float) -> Callable[[Caller], object]:
    return lambda caller: caller.starts(noticed)


def _stopping(silent: float) -> Callable[[Caller], object]:
    return lambda caller: caller.stops(silent)


def _saying(text: str, *, final: bool) -> Callable[[Caller], object]:
    return lambda caller: caller.says(text, final=final)


def _uttering(text: str) -> Callable[[Caller], object]:
    return lambda caller: caller.utterances.append(text)


def transcript(kind: SpeechEventType, text: str) -> SpeechEvent:
    """A recogniser's event of one alternative, in no language in particular."""
    said = [stt.SpeechData(text=text, language="")]  # type: ignore[arg-type]  # as plugins do
    return SpeechEvent(type=kind, alternatives=said)


def listened_to() -> Caller:
    """The caller of the simulation that this code runs in; UsageError outside of one."""
    caller = CALLER.get()
    if caller is None:
        raise UsageError(
            "ScriptedVAD and ScriptedSTT hear only a simulated caller: "
            "hold the conversation with antiphon.simulate"
        )
    return caller


class ScriptedVAD(vad.VAD):
    """Says that there is a voice `noticed` seconds after it began, and none `silent` seconds after
    it ended: exactly, and without listening to any audio."""

    def __init__(self, *, noticed: float = 0.06, silent: float = 0.1) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.02))
        self.noticed = noticed
        self.silent = silent

    def stream(self) -> vad.VADStream:
        return _Detecting(self)


class _Detecting(vad.VADStream):
    def __init__(self, detector: vad.VAD) -> None:
        self._voices = listened_to().detector()
        super().__init__(detector)

    async def _main_task(self) -> None:
        while True:
            self._event_ch.send_nowait(await self._voices.get())


class ScriptedSTT(stt.STT[Any]):
    """Understands what the script says, word for word: an interim transcript `interim` seconds
    after the end of each word (None: no interims), a final one `final` seconds after the voice.

    With `streaming=False` it takes whole utterances, as they are cut out by a detector, and `final`
    counts from there.
    """

    def __init__(
        self, *, interim: float | None = 0.05, final: float = 0.25, streaming: bool = True
    ) -> None:
        capabilities = stt.STTCapabilities(streaming=streaming, interim_results=interim is not None)
        super().__init__(capabilities=capabilities)
        self.interim = interim
        self.final = final

    def stream(
        self,
        *,
        language: Any = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return _Recognising(stt=self, conn_options=conn_options)

    async def _recognize_impl(
        self, buffer: Any, *, language: Any = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> SpeechEvent:
        caller = listened_to()
        await asyncio.sleep(self.final)
        text = caller.utterances.pop(0) if caller.utterances else ""
        caller.understood(text, final=True)
        return transcript(SpeechEventType.FINAL_TRANSCRIPT, text)


class _Recognising(stt.RecognizeStream):
    def __init__(self, **common: Any) -> None:
        self._caller = listened_to()
        super().__init__(**common)

    async def _run(self) -> None:
        while True:
            self._event_ch.send_nowait(await self._caller.speech.get())


def ears(detector: vad.VAD | None, recogniser: stt.STT[Any] | None) -> Ears:
    """How quick these models are. One that is not scripted hears the caller by itself; where there
    is none, a node of the agent's may listen to `Caller`."""
    found = Ears()
    if isinstance(detector, ScriptedVAD):
        found = dataclasses.replace(found, noticed=detector.noticed, silent=detector.silent)
    elif detector is not None:
        found = dataclasses.replace(found, noticed=None, silent=None)
    if isinstance(recogniser, ScriptedSTT):
        found = dataclasses.replace(found, interim=recogniser.interim, final=recogniser.final)
    elif recogniser is not None:
        found = dataclasses.replace(found, interim=None, final=None)
    return found
