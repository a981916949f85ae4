"""A whole conversation on the virtual clock: a scripted caller, a scripted agent, what was heard.

One sample is one millisecond, and the value of a sample is the number of the word it belongs to
(1 for the first word the voice ever made), so what was heard is counted from the samples that the
speaker really played and owes nothing to the ledger. Words of the agent and of the caller are all
different, so that one that is lost, doubled or out of place shows.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit import rtc
from livekit.agents import llm, stt, vad
from livekit.agents.stt import SpeechEvent, SpeechEventType
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

from antiphon import Agent, AgentSession, ModelSettings, SpeechHandle
from antiphon.nodes.outputs import Paced
from antiphon.pipeline import clock

if TYPE_CHECKING:
    from antiphon.events import EventTypes
    from antiphon.pipeline.timeline import Record

RATE = 1000  # samples per second
LETTER = 12  # samples (milliseconds) the voice takes for a character, the marks included

NOTICED = 0.06  # seconds of voice before the detector says so
SILENT = 0.1  # seconds of silence before the detector says so
FINAL = 0.25  # seconds from the last voice to the final transcript
LAG = 0.05  # seconds from the end of a word to the interim that has it

EVENTS: tuple[EventTypes, ...] = (
    *("user_state_changed", "agent_state_changed", "user_input_transcribed"),
    *("conversation_item_added", "agent_false_interruption", "speech_created", "error", "close"),
)

_SYLLABLES = [c + v for c in "bdfgklmnprtz" for v in "aeiou"]


def word(number: int) -> str:
    """The `number`-th of 216,000 words that mean nothing in any language."""
    n, low = divmod(number, 60)
    high, middle = divmod(n, 60)
    return _SYLLABLES[high] + _SYLLABLES[middle] + _SYLLABLES[low] + "x"


def sentence(first: int, words: int = 6) -> str:
    """Words `first`, `first + 1` … as one sentence."""
    return " ".join(map(word, range(first, first + words))).capitalize() + "."


# The caller.


@dataclass(frozen=True)
class Cue:
    """What happens to a call at one moment, in seconds since its start."""

    at: float
    do: Callable[[Call], object]


class Caller:
    """The caller's voice, as a detector and a recogniser would report it."""

    def __init__(self) -> None:
        self.voices: asyncio.Queue[vad.VADEvent] = asyncio.Queue()
        self.speech: asyncio.Queue[SpeechEvent] = asyncio.Queue()
        self.finals: list[str] = []  # said and recognised for good
        self.unfinished = ""  # the last interim, while no final has come

    @property
    def words(self) -> list[str]:
        return " ".join([*self.finals, self.unfinished]).split()

    def starts(self) -> None:
        kind = vad.VADEventType.START_OF_SPEECH
        self.voices.put_nowait(_voice(kind, speech_duration=NOTICED))

    def stops(self) -> None:
        kind = vad.VADEventType.END_OF_SPEECH
        self.voices.put_nowait(_voice(kind, silence_duration=SILENT))

    def says(self, text: str, *, final: bool) -> None:
        kind = SpeechEventType.FINAL_TRANSCRIPT if final else SpeechEventType.INTERIM_TRANSCRIPT
        self.unfinished = "" if final else text
        if final and text:
            self.finals.append(text)
        said = [stt.SpeechData(text=text, language="")]  # type: ignore[arg-type]  # as plugins do
        self.speech.put_nowait(SpeechEvent(type=kind, alternatives=said))


def _voice(kind: vad.VADEventType, **durations: float) -> vad.VADEvent:
    lasts = {"speech_duration": 0.0, "silence_duration": 0.0, **durations}
    return vad.VADEvent(type=kind, samples_index=0, timestamp=0.0, **lasts)  # type: ignore[arg-type]


def user(begin: float, end: float, text: str, *, final: float = FINAL) -> list[Cue]:
    """The caller says `text` from `begin` to `end`: voice, an interim for each word, a final."""
    cues = [Cue(begin + NOTICED, lambda call: call.caller.starts())]
    words = text.split()
    for n in range(1, len(words) + 1):
        at = begin + (end - begin) * n / len(words) + LAG
        cues.append(Cue(at, _saying(" ".join(words[:n]), final=False)))
    cues.append(Cue(end + SILENT, lambda call: call.caller.stops()))
    if words:
        cues.append(Cue(end + final, _saying(text, final=True)))
    return cues


def cough(at: float, lasts: float = 0.3) -> list[Cue]:
    """A sound without words."""
    return user(at, at + lasts, "")


def at(moment: float, do: Callable[[Call], object]) -> list[Cue]:
    return [Cue(moment, do)]


def _saying(text: str, *, final: bool) -> Callable[[Call], object]:
    return lambda call: call.caller.says(text, final=final)


# Scripted ears, on LiveKit's base classes.


class Detector(vad.VAD):
    """Reports the caller's voice; audio means nothing to it."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.02))
        self.caller = caller

    def stream(self) -> vad.VADStream:
        return _DetectorStream(self)


class _DetectorStream(vad.VADStream):
    async def _main_task(self) -> None:
        caller = self._vad.caller  # type: ignore[attr-defined]
        while True:
            self._event_ch.send_nowait(await caller.voices.get())


# The agent.


class Voice:
    """Makes the sound of words and remembers it: `made[n - 1]` is the word of sample value n."""

    def __init__(self, *, first: float = 0.1, speed: float = 4.0, timed: bool = True) -> None:
        self.first = first  # seconds to the first sample of each text
        self.speed = speed  # times real time
        self.timed = timed
        self.made: list[str] = []
        self.lengths: list[int] = []
        self.texts: list[str] = []  # asked for, in order
        self.starts: set[int] = set()  # the values that begin a text

    def frames(self, text: str, start: float = 0.0) -> list[rtc.AudioFrame]:
        """The sound of `text`, one frame a word; `start`: seconds made before it."""
        frames = []
        self.starts.add(len(self.made) + 1)
        for spoken, length in zip(text.split(), self.length(text, start), strict=True):
            self.made.append(spoken)
            self.lengths.append(length)
            pcm = np.full(self.lengths[-1], len(self.made), np.int16)
            start += len(pcm) / RATE
            frame = rtc.AudioFrame(pcm.tobytes(), RATE, 1, len(pcm))
            if self.timed:
                frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [TimedString(spoken, end_time=start)]
            frames.append(frame)
        return frames

    def length(self, text: str, start: float) -> list[int]:
        """Samples of each word; `start` as in `frames`."""
        return [LETTER * len(spoken) for spoken in text.split()]

    async def speak(self, texts: AsyncIterable[str]) -> AsyncGenerator[rtc.AudioFrame, None]:
        start = 0.0
        async for text in texts:
            self.texts.append(text)
            await asyncio.sleep(self.first)
            for frame in self.frames(text, start):
                yield frame
                start += frame.duration
                await asyncio.sleep(frame.duration / self.speed)


class Plain(Agent):
    """An agent of plain generators: `replies` are its answers, in the order it is asked."""

    def __init__(
        self,
        caller: Caller,
        voice: Voice,
        replies: Iterable[str] | None = None,
        *,
        think: float = 0.2,
        token: float = 0.02,
    ) -> None:
        super().__init__(instructions="Answer.")
        self.caller = caller
        self.voice = voice
        self.think = think  # seconds to the first token
        self.token = token  # seconds between tokens
        self.asked: list[llm.ChatContext] = []
        self._replies = iter(replies if replies is not None else stories())

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[SpeechEvent, None]:
        while True:
            yield await self.caller.speech.get()

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[str, None]:
        self.asked.append(chat_ctx)
        text = next(self._replies)
        await asyncio.sleep(self.think)
        for token in text.split():
            yield token + " "
            await asyncio.sleep(self.token)

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        speech = self.voice.speak(text)
        try:
            async for frame in speech:
                yield frame
        finally:
            await speech.aclose()


def stories(sentences: int = 4, words: int = 6) -> Iterable[str]:
    """Answers without end, each of words never used before."""
    for first in itertools.count(0, 100):
        yield " ".join(sentence(first + n * words, words) for n in range(sentences))


# The call.


@dataclass
class Call:
    """A conversation: while it runs for its cues, and afterwards for the test."""

    caller: Caller = field(default_factory=Caller)
    voice: Voice = field(default_factory=Voice)
    played: list[tuple[float, np.ndarray[Any, np.dtype[np.int16]]]] = field(default_factory=list)
    events: list[tuple[float, EventTypes, Any]] = field(default_factory=list)
    handles: list[SpeechHandle] = field(default_factory=list)
    errors: list[logging.LogRecord] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    ended: float = 0.0

    def set_up(self, agent: Agent, options: dict[str, Any]) -> None:
        options = {"vad": Detector(self.caller), "user_away_timeout": None, **options}
        self.agent = agent
        self.session: AgentSession[Any] = AgentSession(**options)
        self.session.output.audio = self.speaker = Paced(rate=RATE, on_played=self._heard)
        for name in EVENTS:
            self.session.on(name, self._noting(name))

    def _heard(self, began: float, pcm: memoryview) -> None:
        self.played.append((began, np.array(pcm, np.int16)))

    def _noting(self, name: EventTypes) -> Callable[[object], None]:
        def note(event: object) -> None:
            self.events.append((asyncio.get_running_loop().time(), name, event))

        return note

    def say(self, text: str, **options: Any) -> SpeechHandle:
        self.handles.append(self.session.say(text, **options))
        return self.handles[-1]

    # What came of it.

    @property
    def sound(self) -> list[int]:
        """Every sample of a word that was heard, in order; 0 is silence."""
        return [int(value) for _, pcm in self.played for value in pcm if value]

    @property
    def heard(self) -> list[str]:
        """The words of which the last sample was played, in the order of their sounds."""
        whole = [n for n, group in itertools.groupby(self.sound)
                 if sum(1 for _ in group) == self.voice.lengths[n - 1]]
        return [self.voice.made[n - 1] for n in whole]

    @property
    def messages(self) -> list[llm.ChatMessage]:
        return [item for item in self.session.history.items if isinstance(item, llm.ChatMessage)]

    def text(self, role: str) -> list[str]:
        """All words of one side, as history has them."""
        texts = [m.text_content or "" for m in self.messages if m.role == role]
        return " ".join(texts).split()

    def records(self, *kinds: str) -> list[Record]:
        return [r for r in self.session.timeline.records if r.kind in kinds]

    def reported(self, name: EventTypes) -> list[Any]:
        return [event for _, kind, event in self.events if kind == name]


Making = Callable[[Call], Agent]


def plain(call: Call) -> Agent:
    return Plain(call.caller, call.voice)


def hold(
    *cues: list[Cue],
    agent: Making = plain,
    until: float | None = None,
    call: Call | None = None,
    after: Callable[[], object] | None = None,
    **options: Any,
) -> Call:
    """Hold a conversation: carry out the cues, close the session at `until` seconds.

    Raises for a task or generator that is left behind; `after` is called a second after the close,
    and may let go of some. Without `until`, the session closes when nothing has been going on since
    the last cue.
    """
    held = call or Call()
    log = _Errors(held.errors)
    logging.getLogger("antiphon").addHandler(log)
    try:
        talk = _hold(held, list(itertools.chain(*cues)), agent, until, options)
        clock.run(_and_then(talk, after), strict=True)
    finally:
        logging.getLogger("antiphon").removeHandler(log)
    return held


async def _hold(
    call: Call, cues: list[Cue], agent: Making, until: float | None, options: dict[str, Any]
) -> None:
    loop = asyncio.get_running_loop()
    call.set_up(agent(call), options)
    await call.session.start(call.agent)
    for cue in cues:
        if until is None or cue.at < until:
            loop.call_at(cue.at, cue.do, call)
    last = max((cue.at for cue in cues), default=0.0)
    await asyncio.sleep(until if until is not None else last + 0.01)
    if until is None:
        await quiet(call)
    call.strays = call.session.conversation.strays.names
    await call.session.aclose()
    call.speaker.held()
    call.ended = loop.time()


async def _and_then(talk: Awaitable[None], after: Callable[[], object] | None) -> None:
    await talk
    if after is not None:
        await asyncio.sleep(1.0)
        after()
        await asyncio.sleep(1.0)


async def quiet(call: Call) -> None:
    """Wait until the user's turn is over and everything that it asked for has been said."""
    talk = call.session.conversation
    while True:
        await call.session.drain()
        if not (talk.machine.unfinished or talk.speaking.in_line() or talk.answers.busy):
            return
        await asyncio.sleep(0.05)


class _Errors(logging.Handler):
    def __init__(self, found: list[logging.LogRecord]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        self._found.append(record)


# The invariants.


def check(call: Call, *, errors: int = 0) -> None:
    """What holds of every conversation, whatever happened in it."""
    assert call.text("assistant") == call.heard  # history is what was heard, to the word
    assert call.text("user") == call.caller.words  # no word of the user is lost, none is doubled
    check_sound(call)
    assert not call.errors, [record.getMessage() for record in call.errors]
    assert len(call.reported("error")) == errors, call.reported("error")
    assert all(handle.done() for handle in call.handles)
    assert not call.strays
    assert len(call.reported("close")) == 1


def check_sound(call: Call) -> None:
    """Nothing is heard out of order or twice, or after its reply was cut."""
    runs = [(n, sum(1 for _ in group)) for n, group in itertools.groupby(call.sound)]
    assert len({n for n, _ in runs}) == len(runs)
    assert all(count <= call.voice.lengths[n - 1] for n, count in runs)
    for (before, _), (n, _) in itertools.pairwise(runs):
        assert n == before + 1 or n in call.voice.starts
    cuts = [record.t for record in call.records("cut")]
    resumed = [record.t for record in call.records("audible")]
    for cut in cuts:
        after = [began for began, pcm in call.played if began + (len(pcm) - 0.001) / RATE > cut]
        following = min((t for t in resumed if t >= cut), default=float("inf"))
        assert all(began >= following for began in after), (cut, after)
