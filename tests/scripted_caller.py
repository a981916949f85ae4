"""The scripted caller: when there is a voice, what is recognised of it, and when."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit.agents import stt, vad
from livekit.agents.stt import SpeechEvent, SpeechEventType

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scripted import Call

NOTICED = 0.06  # seconds of voice before the detector says so
SILENT = 0.1  # seconds of silence before the detector says so
FINAL = 0.25  # seconds from the last voice to the final transcript
LAG = 0.05  # seconds from the end of a word to the interim that has it


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
