"""What was heard: for one step of a reply, which text lies at which samples.

History, transcripts, events, truncation and resumption ask `Ledger.text_at`; there is no second
estimate anywhere. Positions are whole samples from the step's first one. A word counts as heard
when its last sample has been played.

Text is *written* (what history shows, one entry for each chunk handed to `tts_node`) and *spoken*
(what the voice was given). The default `tts_node` marks its audio (`Mark`), so that chunks and
sample ranges pair up one to one; an override that changes the number of items is measured as one
range over all its text, and so is one that makes frames of its own, unless it asks for a text only
when it has made the sound of the one before. Inside a range words end where the voice says
so, otherwise where `Pace` puts them.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from antiphon.pipeline.pace import letters, unit_ends
from antiphon.pipeline.words import speakable, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from antiphon.pipeline.pace import Pace

TOLERANCE: Final = 1e-3  # samples: what a conversion from seconds may be off by


@dataclass(slots=True, eq=False)
class Mark:
    """One text that the voice was asked for.

    `index` counts these within the step, `fed` is how many written chunks had been handed out
    when it was asked for. `done` turns true when its last sample has been made.
    """

    spoken: str
    index: int
    fed: int
    done: bool = False


@dataclass(frozen=True, slots=True)
class Sound:
    """Mono 16-bit samples at the output's rate.

    `words` are (word, end) pairs, `end` in seconds from the first sample of the mark (of the
    segment, without one).
    """

    pcm: memoryview
    mark: Mark | None = None
    words: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True, eq=False)
class Span:
    """A range of samples and what was spoken in it."""

    mark: Mark | None
    start: int
    end: int
    words: list[tuple[str, int]] = field(default_factory=list)  # (word, its last sample)


LEDGER: ContextVar[Ledger | None] = ContextVar("antiphon.ledger", default=None)
"""The ledger of the step in whose voice this code runs, for nodes that mark their sound."""


class Ledger:
    """The record of one step. Mutable state: the texts, the spans, and how many samples there are.

    `rate` is in samples per second; `sent` and what was played of it belong to `playout`.
    """

    def __init__(self, rate: int, pace: Pace) -> None:
        self.rate = rate
        self.written: list[str] = []
        self.spoken: list[str] = []
        self.shown: list[str] | None = None  # what transcription_node made of `written`, if any
        self.all_shown = False  # it makes no more
        self.timed: list[tuple[str, int]] = []  # what it made of the voice's words, to which sample
        self.queued = 0
        self.complete = False
        self._marks = 0
        self._implied: Mark | None = None  # what unmarked sound belongs to
        self.segment = 0  # where its first sample lies
        self._segment_text = 0  # which of `spoken` is its first
        self._muted = False
        self._pace = pace
        self._spans: list[Span] = []

    def hand_out(self, written: str, spoken: str, *, inline: bool = False) -> None:
        """A chunk goes to the voice.

        A voice that asks `inline`, where it makes its sound, and for each text when it has made
        the sound of the one before, need not mark it: it belongs to the text it asked for last.
        """
        index, before = len(self.spoken), self._implied
        self.written.append(written)
        self.spoken.append(spoken)
        if before is not None:
            before.done = bool(self._spans) and self._spans[-1].mark is before
        in_turn = index == 0 or (before is not None and before.done)
        inline = inline and in_turn and not self._marks
        self._implied = Mark(spoken, index, index + 1) if inline else None

    def begin_segment(self) -> None:
        """The voice is called (again): its times start at 0."""
        self._learn()
        self.segment, self._segment_text = self.queued, len(self.spoken)

    def mark(self, spoken: str) -> Mark:
        """The voice asks for the sound of one more text."""
        self._implied = None
        self._marks += 1
        return Mark(spoken, self._marks - 1, len(self.written))

    def append(self, written: str) -> None:
        """More written text that asks for no sound of its own: it belongs to the last chunk."""
        if self.written:
            self.written[-1] += written
        else:
            self.hand_out(written, "")

    def mute(self) -> None:
        """Nothing is spoken in this step: written text counts as heard."""
        self._muted = True

    def add(self, sound: Sound) -> int:
        """Samples came back from the voice; the sample from which the times of its words count."""
        span = self._spans[-1] if self._spans else None
        mark = sound.mark or self._implied
        if span is None or span.mark is not mark:
            self._learn()
            span = Span(mark, self.queued, self.queued)
            self._spans.append(span)
        begin = self.segment if sound.mark is None else span.start
        for word, end in sound.words:
            span.words.append((word, begin + int(end * self.rate + TOLERANCE)))
        self.queued += len(sound.pcm)
        span.end = self.queued
        return begin

    def close(self) -> None:
        """No more samples will come; the last range is now exact."""
        if not self.complete:
            self.complete = True
            self._learn()

    def runway(self, heard: int) -> float:
        """Seconds until the listener hears a gap, counting what is only expected so far."""
        if self.complete:
            return (self.queued - heard) / self.rate
        voiced = self._voiced()
        expected = 0.0
        for index, spoken in enumerate(self.spoken):
            span = voiced.get(index)
            made = (span.end - span.start) / self.rate if span else 0.0
            whole = span is not None and span.mark is not None and span.mark.done
            expected += made if whole else max(made, self._pace.seconds(spoken))
        return max(expected, self.queued / self.rate) - heard / self.rate

    def text_at(self, heard: int) -> str:
        """The written text whose last sample lies at or before `heard`, in whole words."""
        if self._muted:
            return "".join(self._texts(last=-1))
        if self.timed:
            whole = self.complete and heard >= self.queued > 0
            return "".join(text for text, last in self.timed if whole or last <= heard)
        if self.complete and heard >= self.queued > 0 and not self._broken():
            return "".join(self._texts(last=self._last_voiced()))

        said: list[str] = []
        silent: list[str] = []  # chunks without a sound: heard only if a later one was
        for written, span in self._pairs():
            if span is None:
                silent.append(written)
                continue
            part = self._part(written, span, heard)
            if part:
                said += (*silent, part)
                silent = []
            if part != written:
                break
        return "".join(said)

    @property
    def unvoiced(self) -> list[str]:
        """Chunks that the voice gave no sample for, or broke off, once it is complete."""
        if self._muted or not self.complete:
            return []
        if broken := self._broken():
            return broken
        if not self._paired():
            return [] if self.queued else [text for text in self.spoken if speakable(text)]
        return [written for written, span in self._pairs() if span is None and speakable(written)]

    def _texts(self, last: int) -> list[str]:
        texts = self._displayed()
        return texts if last < 0 or len(texts) != len(self.written) else texts[: last + 1]

    def _displayed(self) -> list[str]:
        """What history shows: as transcription_node made it, and where it lags, as written."""
        if self.shown is None or self.all_shown:
            return self.written if self.shown is None else self.shown
        reached, passed, covered = letters("".join(self.shown)), 0, 0
        for text in self.written:
            passed += letters(text)
            covered += passed <= reached
        one_for_one = len(self.shown) if len(self.shown) <= len(self.written) else 0
        return self.shown + self.written[max(covered, one_for_one) :]

    def _last_voiced(self) -> int:
        """Index of the last chunk with sound and of all unspeakable ones after it; -1: all."""
        if not self._paired():
            return -1
        last = max(self._voiced())
        while last + 1 < len(self.spoken) and not speakable(self.spoken[last + 1]):
            last += 1
        return last

    def _pairs(self) -> list[tuple[str, Span | None]]:
        """Written texts and the ranges they are spoken in, in order."""
        if not self._spans:
            return []
        if not self._paired():
            texts = "".join(self._texts(last=-1))
            every = [word for span in self._spans for word in span.words]
            return [(texts, Span(None, 0, self.queued, every))]
        voiced = self._voiced()
        return [(text, voiced.get(index)) for index, text in enumerate(self._texts(last=-1))]

    def _voiced(self) -> dict[int, Span]:
        """The ranges that have samples, by the index of what is spoken in them."""
        spans = (span for span in self._spans if span.end > span.start)
        return {span.mark.index: span for span in spans if span.mark is not None}

    def _paired(self) -> bool:
        """Did every item handed out come back as one mark, perhaps one item late?

        Who looks one item ahead asks for item n when n + 2 have been handed out, and for the last
        one when no more comes. Who merges items seems to look ahead, but asks for more text.
        """
        marks = [span.mark for span in self._spans if span.mark is not None]
        ahead = [mark.fed - mark.index - 1 for mark in marks]
        shown = self.shown is None or len(self._displayed()) == len(self.written)
        asked = self._marks or (self._implied.index + 1 if self._implied else 0)
        one_to_one = not self.complete or asked == len(self.spoken)
        if len(marks) < len(self._spans) or not (marks and shown and one_to_one):
            return False
        return (
            set(ahead) <= {0, 1}
            and ahead == sorted(ahead, reverse=True)
            and not (any(ahead) and any(self._merged(mark) for mark in marks))
        )

    def _merged(self, mark: Mark) -> bool:
        asked = "".join(self.spoken[mark.index : mark.index + 2])
        return mark.fed - mark.index == 2 and letters(mark.spoken) >= letters(asked)

    def _part(self, written: str, span: Span, heard: int) -> str:
        whole = self.complete or (span.mark is not None and span.mark.done)
        if heard <= span.start:
            return ""
        if whole and heard >= span.end and not self._cut_short(span):
            return written
        spots = words(written)
        if not spots:
            return written if heard >= span.end else ""
        ends = unit_ends(written, spots)
        if span.words:
            total = letters(self._spoken_in(span))
            passed = sum(letters(word) for word, end in span.words if end <= heard + TOLERANCE)
            ends = _letter_ends(written, spots)
            reached = passed / max(total, 1) * ends[-1]
        else:
            made = (span.end - span.start) / self.rate
            lasts = made if whole else max(made, ends[-1] * self._pace.seconds_per_unit)
            reached = (heard - span.start) / self.rate / lasts * ends[-1]
        number = sum(end <= reached + TOLERANCE for end in ends)
        return written[: spots[number - 1][1]] if number else ""

    def _spoken_in(self, span: Span) -> str:
        return "".join(self.spoken) if span.mark is None else span.mark.spoken

    def _broken(self) -> list[str]:
        """The texts (as written) that the voice broke off."""
        return [text for text, span in self._pairs() if span and self._cut_short(span)]

    def _cut_short(self, span: Span) -> bool:
        """Did the voice break off? Only where its words are the beginning of the text, and the
        sound after the last of them is too short for half of the rest."""
        if not span.words:
            return False
        said, text = _plain("".join(word for word, _ in span.words)), _plain(self._spoken_in(span))
        if said in ("", text) or not text.startswith(said):
            return False
        last = max(end for _, end in span.words)
        return 2 * (span.end - last) * len(said) < (last - span.start) * (len(text) - len(said))

    def _learn(self) -> None:
        """The last range is whole: let the pace know how long its text took."""
        span = self._spans[-1] if self._spans else None
        if span is None:
            return
        if span.mark is not None:
            span.mark.done = True
            self._pace.learn(span.mark.spoken, (span.end - span.start) / self.rate)
        elif span.start <= self.segment:  # one stream made all of the segment
            text = "".join(self.spoken[self._segment_text :])
            self._pace.learn(text, (self.queued - self.segment) / self.rate)


def _plain(text: str) -> str:
    return "".join(c.lower() for c in text if c.isalnum())


def _letter_ends(text: str, spots: Sequence[tuple[int, int]]) -> list[float]:
    total, ends = 0.0, []
    for start, end in spots:
        total += letters(text[start:end])
        ends.append(total)
    return ends
