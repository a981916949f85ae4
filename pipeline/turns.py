"""Who may speak: a pure state machine over the two tables of `turn_table.py`.

`observe(observation, now)` returns the decisions it leads to, in the order in which they are to
be carried out; `deadline` says when to send the next `Tick`. Time is an argument (seconds of one
clock); there is no clock, task, log or I/O here. "The voice goes on" is not an observation:
deadlines do it, so that a frame of audio costs this machine nothing.

Theory of operation. An observation is first classified into a *cue* (with the times, the words
and the rules); the cue is then looked up in `FLOOR` and `USER`. The state is the two enums, the
words not yet handed on, a few times, the reply that has the floor, and the draft. Sound pauses a
reply, words end it; an acknowledgement is kept in history and the reply goes on, except where it
is an answer (`VoiceStarted.answers`). Where the application ends turns by hand (`Rules.manual`),
the user's sounds and words do nothing to a reply. Every wait has a deadline here: a stuck
detector, endless noise and a recogniser that never finishes each have one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from antiphon.pipeline import observations as o
from antiphon.pipeline.drafts import Drafts
from antiphon.pipeline.endpointing import patience
from antiphon.pipeline.interruption import counts
from antiphon.pipeline.observations import Kind
from antiphon.pipeline.turn_table import (
    AGENT_IS,
    FLOOR,
    HELD,
    UNHELD,
    USER,
    Act,
    Cue,
    Floor,
    Rules,
    User,
)
from antiphon.pipeline.utterance import Utterance

if TYPE_CHECKING:
    from collections.abc import Callable

    Due = tuple[float, Callable[[float, list[o.Decision]], None]]


class Turns:
    """The machine. See the module's text for the theory and the tables for the rest."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.user = User.QUIET
        self.floor = Floor.FREE
        self.gen: int | None = None  # the reply on the floor
        self.kind = Kind.ANSWER
        self._working = False  # tools run for a reply that has left the floor
        self._words = Utterance()
        self._language: str | None = None
        self._answers = False  # "yes" would be an answer (VoiceStarted.answers)
        self._voice_since: float | None = None  # the turn's first voice; None: words without voice
        self._last_voice = 0.0  # end of the last voiced frame
        self._lasts_at: float | None = None  # when this voice will have lasted min_duration
        self._words_at = 0.0  # last news of words, or start of the voice
        self._patience = self.rules.min_delay
        self._commit: o.CommitNow | None = None
        self._commit_by = 0.0
        self._drafts = Drafts()

    @property
    def text(self) -> str:
        """What the user has said that is not yet handed on."""
        return self._words.text

    @property
    def unfinished(self) -> bool:
        """The user is speaking, or has said words whose final transcript is still to come."""
        return self.user is not User.QUIET or bool(self._words.interim)

    @property
    def committing(self) -> bool:
        """A CommitNow waits for the final transcript."""
        return self._commit is not None

    @property
    def deadline(self) -> float | None:
        """When to observe a Tick; None when only an observation can change anything."""
        return min((at for at, _ in self._due()), default=None)

    def observe(self, seen: o.Observation, now: float) -> list[o.Decision]:
        """Take note of `seen` at `now` (seconds) and say what to do, in order."""
        out: list[o.Decision] = []
        self._apply(seen, now, out)
        while due := [pair for pair in self._due() if pair[0] <= now]:
            min(due, key=lambda pair: pair[0])[1](now, out)  # each removes its own deadline
        self._prepare(out)
        return out

    def _apply(self, seen: o.Observation, now: float, out: list[o.Decision]) -> None:
        match seen:
            case o.VoiceStarted():
                self._on_voice(seen, now, out)
            case o.VoiceStopped():
                self._on_silence(seen.at, out)
            case o.Transcript():
                self._on_transcript(seen, now, out)
            case o.Score():
                self._patience = patience(self.rules, seen.probability, seen.threshold)
            case o.Granted():
                self._on_granted(seen, out)
            case o.Audible() | o.Gone() | o.Protect():
                self._on_reply(seen, out)
            case o.Working():
                self._working = seen.replies > 0
                self._act(Cue.WORK if self._working else Cue.NO_WORK, out)
            case o.Interrupt():
                self._act(Cue.FORCE if seen.force else Cue.INTERRUPT, out, "application")
            case o.CommitNow():
                self._on_commit(seen, now, out)
            case o.Clear():
                self._commit = None
                self._words.hand_on()
                self._drafts.made = 0
                if self.user is not User.VOICED:
                    self._over(out)
            case o.Closed():
                self._commit = None
                self._keep(out)
            case o.Tick():
                pass
            case _:
                assert_never(seen)

    def _due(self) -> list[Due]:
        """Every deadline that stands, with what is to be done then."""
        due: list[Due] = []
        if self._commit is not None:
            due.append((self._commit_by, self._end_commit))
        if self.user is User.ENDING and (self._commit is None or self._words.settled):
            due.append((self._ends_at(), self._end_turn))
        elif self.user is User.VOICED:
            lasts = self.floor is Floor.AUDIBLE and not self.rules.manual
            if lasts and self._lasts_at is not None:
                due.append((self._lasts_at, self._lasted))
            if self.text:
                due.append((self._words_at + self.rules.stuck_voice, self._unstick))
        if self.floor in HELD and (calm := self._calm_at()) is not None:
            due.append((calm, self._calm))
        return due

    def _ends_at(self) -> float:
        if self._words.settled:
            return self._last_voice + self._patience
        waited = max(self.rules.transcript_timeout, self._patience)
        return max(self._last_voice, self._words_at if self._words.interim else 0.0) + waited

    def _calm_at(self) -> float | None:
        """When a held reply may go on because nothing was said."""
        if self.user is User.VOICED:
            return None if self.text else self._words_at + self.rules.noise
        if self.text and self.user is User.ENDING:
            return None  # the end of the turn will tell
        silence = self.rules.false_interruption
        if silence is None:
            silence = self.rules.min_delay
        return self._last_voice + silence

    def _on_voice(self, seen: o.VoiceStarted, now: float, out: list[o.Decision]) -> None:
        if self.user is User.VOICED:
            return

        if self.user is User.QUIET and not self.text:
            self._voice_since = None  # what was heard before had no words
        self._answers = seen.answers or (self._answers and self.user is User.ENDING)
        self._lasts_at = max(now, seen.at + self.rules.min_duration)
        self._words_at = now
        if self._voice_since is None:
            self._voice_since = seen.at
        self._move(Cue.VOICE)
        out.append(o.UserIs("speaking", seen.at))
        if not self.rules.manual:
            self._act(Cue.VOICE, out)

    def _on_silence(self, at: float, out: list[o.Decision]) -> None:
        if self.user is not User.VOICED:
            return

        self._last_voice = at
        self._lasts_at = None
        self._patience = self.rules.min_delay
        self._move(Cue.SILENCE)
        out += (o.UserIs("listening", at), o.Flush())

    def _on_transcript(self, seen: o.Transcript, now: float, out: list[o.Decision]) -> None:
        if not self._words.hear(seen.text, final=seen.final):
            return

        if self.user is User.QUIET and now > self._last_voice + 2 * self.rules.transcript_timeout:
            self._voice_since = None  # too late to be that voice's words: the detector missed some
        self._language = seen.language or self._language
        self._words_at = now
        if self._voice_since is None:
            self._last_voice = now
        if self.text and self.user is User.QUIET:
            if self._voice_since is None:
                self._answers, self._patience = seen.answers, self.rules.min_delay
            self._move(Cue.LATE_WORDS)
        self._weigh(out)
        if seen.final and self._commit is not None:
            self._end_commit(now, out)

    def _weigh(self, out: list[o.Decision]) -> None:
        """May the words heard so far end (or hold) the reply on the floor?"""
        if self.rules.manual or not self._counts():
            return

        if self.floor in (Floor.WAITING, Floor.STAYED) and self.kind is not Kind.ANSWER:
            self._act(Cue.HOLDING_WORDS, out)
        elif self.floor is not Floor.AUDIBLE or self._voice_since is None:
            self._act(Cue.WORDS, out, "voice")
        elif self.user is User.VOICED and self._lasts_at is None:
            self._act(Cue.WORDS, out, "voice")  # long enough; as noise it had let the reply go on

    def _on_granted(self, seen: o.Granted, out: list[o.Decision]) -> None:
        self.gen, self.kind = seen.gen, seen.kind
        if seen.kind is Kind.PROTECTED:
            cue = Cue.GRANTED_PROTECTED
        elif self.user is User.QUIET or self._voice_since is None or self.rules.manual:
            cue = Cue.GRANTED
        else:
            cue = Cue.GRANTED_HELD
        self._act(cue, out)
        self._weigh(out)  # words may have come before it

    def _on_reply(self, seen: o.Audible | o.Gone | o.Protect, out: list[o.Decision]) -> None:
        if seen.gen != self.gen:
            return

        if isinstance(seen, o.Audible):
            self._act(Cue.SOUNDED, out)
        elif isinstance(seen, o.Gone):
            self._act(Cue.GONE, out)
        elif seen.protected:
            self._act(Cue.PROTECT, out)
        else:
            self._act(Cue.UNPROTECT, out)
            if self.user is User.VOICED and not self.rules.manual:
                self._act(Cue.VOICE, out)

    def _on_commit(self, seen: o.CommitNow, now: float, out: list[o.Decision]) -> None:
        self._commit, self._commit_by = seen, now + seen.timeout
        if self._words.settled and self.user is not User.VOICED:
            self._end_commit(now, out)
        else:
            out.append(o.Flush())

    # What the deadlines mean.

    def _lasted(self, now: float, out: list[o.Decision]) -> None:
        self._lasts_at = None
        resumes = self.rules.false_interruption is not None
        if self._counts() or (not resumes and self.rules.min_words == 0):
            self._act(Cue.WORDS, out, "voice")
        elif resumes:
            self._act(Cue.LASTED, out)

    def _calm(self, now: float, out: list[o.Decision]) -> None:
        self._lasts_at = None  # a voice that was noise so far pauses nothing more, only its words
        self._act(Cue.CALM, out)

    def _unstick(self, now: float, out: list[o.Decision]) -> None:
        """The detector says "voice" for ever, but the words ended long ago."""
        self._on_silence(self._words_at, out)

    def _end_commit(self, now: float, out: list[o.Decision]) -> None:
        asked, self._commit = self._commit, None
        assert asked is not None
        if self.text:
            self._hand_on(out, answer=asked.answer)
        self._over(out)

    def _end_turn(self, now: float, out: list[o.Decision]) -> None:
        if self._commit is not None:
            self._end_commit(now, out)
        elif self.text and not self.rules.manual:
            if self.floor is Floor.FREE or self._counts():
                self._hand_on(out)
            else:  # there is a reply to go on with, and the words ask for no other
                self._keep(out)
                self._act(Cue.KEPT, out)
        elif not self.text and self._voice_since is not None:
            out.append(o.Unrecognised(self._last_voice - self._voice_since))
        self._over(out)

    def _counts(self) -> bool:
        if self._answers:
            return bool(self.text)
        more = self.user is User.VOICED and bool(self._words.interim)
        return counts(self.text, self.rules.min_words, self._language, unfinished=more)

    def _hand_on(self, out: list[o.Decision], *, answer: bool = True) -> None:
        text = self.text
        unheard = self.floor in (Floor.WAITING, Floor.STAYED) and self.kind is Kind.ANSWER
        self._act(Cue.WORDS if unheard else Cue.TURN, out, "turn")
        self._drafts.drop_unless(text, out)
        out.append(o.Commit(text, self._drafts.hand_on(), answer, self._language))
        self._forget()

    def _keep(self, out: list[o.Decision]) -> None:
        if self.text:
            out.append(o.Keep(self.text, self._language))
            self._forget()

    def _forget(self) -> None:
        self._words.hand_on()
        self._voice_since = None
        self._answers = False
        self._drafts.made = 0

    def _prepare(self, out: list[o.Decision]) -> None:
        """Start, keep or drop the prepared reply, as words and floor now are."""
        free = self.floor is Floor.FREE
        self._drafts.drop_unless(self.text if free else None, out)
        since = self._last_voice if self._voice_since is None else self._voice_since
        settled = self._words.settled and self.user is User.ENDING
        if free and settled and self._drafts.wanted(self.rules, self._last_voice - since):
            self._drafts.make(self.text, out)

    def _over(self, out: list[o.Decision]) -> None:
        self._move(Cue.OVER)
        self._act(Cue.OVER, out)

    def _move(self, cue: Cue) -> None:
        """Look the cue up in USER."""
        self.user = USER.get((self.user, cue), self.user)

    def _act(self, cue: Cue, out: list[o.Decision], why: str = "") -> None:
        """Look the cue up in FLOOR and add what is to be done to the reply."""
        row = FLOOR.get((self.floor, cue))
        if row is None:
            return
        before, (self.floor, acts) = self.floor, row
        if self.floor is Floor.FREE and self._working:
            self.floor = Floor.WORKING
        for act in acts:
            assert self.gen is not None
            held = o.Pause(self.gen) if act is Act.PAUSE else o.Resume(self.gen)
            out.append(o.Cut(self.gen, why) if act is Act.CUT else held)
        if self.floor in UNHELD:
            self.gen = None
        if AGENT_IS[self.floor] != AGENT_IS[before]:
            out.append(o.AgentIs(AGENT_IS[self.floor]))
