"""The record of a call in a folder: what was heard, what was said, and what happened.

`conversation.wav` has the caller left and the agent right, `transcript.json` what either said,
`timeline.jsonl` everything (see `pipeline.timeline`). All of it is written while it happens and is
whole at any moment, so that a process that is killed leaves a record that can be read.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, TextIO, cast

import numpy as np
import soxr

from antiphon.nodes.callers import RATE
from antiphon.nodes.conversation_wav import ConversationWav
from antiphon.pipeline.errors import UsageError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

    from antiphon.nodes.wav import Samples
    from antiphon.pipeline import timeline

logger = logging.getLogger("antiphon.record")

SOUND: Final = "conversation.wav"
TRANSCRIPT: Final = "transcript.json"
TIMELINE: Final = "timeline.jsonl"


@dataclass(frozen=True, slots=True)
class Line:
    """What "user" or "agent" said, as it was heard; seconds since the session started."""

    speaker: str
    text: str
    start: float
    end: float
    interrupted: bool = False

    def __str__(self) -> str:
        cut = " [interrupted]" if self.interrupted else ""
        return f"{self.start:7.2f} - {self.end:7.2f}  {self.speaker:5}  {self.text}{cut}"


class Transcript:
    """Who said what, and when, read from a timeline.

    Mutable state: the lines, the user's voice since their last line, and when each
    reply began or fell silent.
    """

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._voice: tuple[float, float | None] | None = None  # begun, ended
        self._worded = False  # words came since that voice began: it was no cough
        self._audible: dict[int, float] = {}
        self._silent: tuple[int, float] | None = None  # the reply that is held, and since when

    def note(self, record: timeline.Record) -> bool:
        """Read one record; whether it added a line."""
        detail = record.detail
        match record.kind:
            case "voice_started":
                ended = self._voice is not None and self._voice[1] is not None
                if self._voice is None or (ended and not self._worded):
                    self._voice, self._worded = (cast("float", detail["at"]), None), False
            case "voice_stopped" if self._voice is not None:
                self._voice = self._voice[0], cast("float", detail["at"])
            case "transcript":
                self._worded = self._worded or bool(detail["text"])
            case "audible" if record.reply is not None:
                self._audible.setdefault(record.reply, record.t)
            case "pause" if record.reply is not None:
                self._silent = record.reply, record.t
            case "resume":
                self._silent = None
            case "message" if detail["role"] in ("user", "assistant"):
                self._add(record)
                return True
        return False

    @property
    def lines(self) -> list[Line]:
        """As they began; times to the microsecond."""
        return sorted(self._lines, key=lambda line: line.start)

    def json(self) -> str:
        """A list of `{speaker, text, start, end, interrupted}`; times to the millisecond."""
        lines = [asdict(line) for line in self.lines]
        for line in lines:
            line |= {"start": round(line["start"], 3), "end": round(line["end"], 3)}
        return json.dumps(lines, indent=2, ensure_ascii=False) + "\n"

    def _add(self, record: timeline.Record) -> None:
        start = end = record.t
        if record.detail["role"] == "user":
            if self._voice is not None:
                start, ended = self._voice
                end = record.t if ended is None else max(start, ended)
            self._voice, self._worded = None, False
            speaker = "user"
        else:
            start = self._audible.pop(record.reply or 0, record.t)  # its next step has its own
            if self._silent is not None and self._silent[0] == record.reply:
                end = self._silent[1]
            speaker = "agent"
        text, cut = str(record.detail["text"]), bool(record.detail["interrupted"])
        self._lines.append(Line(speaker, text, round(start, 6), round(end, 6), cut))


class CallRecord:
    """The folder of one call. Mutable state: its files, and the transcript so far."""

    def __init__(self, folder: Path, *, sound: bool = True) -> None:
        """Replaces the record of an earlier call; without `sound`, only one that had none."""
        self.folder = folder.absolute()  # wherever the program goes meanwhile
        self._named = folder
        self._transcript = Transcript()
        self._sound: ConversationWav | None = None
        self._start = 0.0
        self._upsampler: soxr.ResampleStream | None = None
        self._upsampled = (0, 0)  # where its sound began and how much of it was given, in samples
        try:
            if not sound and (folder / SOUND).exists():
                raise UsageError(
                    f"--out {folder} has the sound of an earlier call, and this one has none to "
                    f"put in its place; name another folder"
                )
            folder.mkdir(parents=True, exist_ok=True)
            self._timeline: TextIO | None = _emptied(folder / TIMELINE)
            (folder / SOUND).unlink(missing_ok=True)
            self._write_transcript()
        except FileExistsError:
            raise UsageError(f"--out {folder} is a file; name a folder") from None
        except BlockingIOError:
            raise UsageError(
                f"--out {folder} is being written by a call that goes on; name another folder"
            ) from None
        except OSError as error:
            raise UsageError(f"cannot write into --out {folder}: {error.strerror}") from error

    def begin(self, start: float, rate: int) -> None:
        """Record sound from now on; `start` is the session's loop time, `rate` the agent's."""
        self._start = start
        self._sound = ConversationWav(self.folder / SOUND, rate)

    def heard_user(self, at: float, samples: Samples) -> None:
        """What the caller said (16 kHz) from loop time `at` on."""
        if self._sound is None:
            return
        place = round((at - self._start) * self._sound.rate)
        if self._sound.rate != RATE:
            place, samples = self._resampled(place, samples, self._sound.rate)
        self._sound.write_user(place, samples)

    def heard_agent(self, at: float, pcm: memoryview) -> None:
        """What was heard of the agent, from loop time `at` on."""
        if self._sound is not None:
            place = round((at - self._start) * self._sound.rate)
            self._sound.write_agent(place, np.frombuffer(pcm, np.int16))

    def note(self, record: timeline.Record) -> None:
        """Something happened."""
        if self._timeline is None:
            return
        try:
            self._timeline.write(record.json() + "\n")
            self._timeline.flush()
            if self._transcript.note(record):
                self._write_transcript()
        except OSError as error:
            logger.error("the record in %s ends here: %s", self._named, error.strerror)
            self._timeline = None

    def __str__(self) -> str:
        """Where it is, and the names of the files there are."""
        there = [name for name in (SOUND, TRANSCRIPT, TIMELINE) if (self.folder / name).exists()]
        return f"the record is in {self._named}: {', '.join(there)}"

    def close(self) -> None:
        """Finish the files."""
        if self._sound is not None:
            self._sound.close()
        if self._timeline is not None:
            self._timeline.close()
            self._timeline = None

    def _resampled(self, place: int, samples: Samples, rate: int) -> tuple[int, Samples]:
        """The caller's sound at `rate`: the resampler gives it a little later, in other blocks."""
        begun, given = self._upsampled
        if self._upsampler is None:
            self._upsampler = soxr.ResampleStream(RATE, rate, 1, dtype="int16", quality="HQ")
            begun, given = place, 0
        sound: Samples = self._upsampler.resample_chunk(samples)
        self._upsampled = begun, given + len(sound)
        return begun + given, sound

    def _write_transcript(self) -> None:
        new = self.folder / f".{TRANSCRIPT}"
        new.write_text(self._transcript.json(), encoding="utf-8", errors="replace")
        new.replace(self.folder / TRANSCRIPT)


def _emptied(path: Path) -> TextIO:
    """The file, this call's alone until it is closed; raises BlockingIOError while another has it.

    Windows lets others write to an open file; there nobody is kept away.
    """
    file = path.open("a", encoding="utf-8", errors="replace")
    try:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
    except OSError:
        file.close()
        raise
    return file
