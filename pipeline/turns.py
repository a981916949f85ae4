"""Who may speak: a pure state machine over the two tables of `turn_table.py`.

`observe(observation, now)` returns the decisions it leads to, in the order in which they are to
be carried out; `deadline` says when to send the next `Tick`. Time is an argument (seconds of one
clock); there is no clock, task, log or I/O here. "The voice goes on" is not an observation:
deadlines do it, so that a frame of audio costs this machine nothing.

Theory of operation. An observation is first classified into a *cue* (with the times, the words
and the rules); the cue is then looked up in `FLOOR` and `USER`. The state is the two enums, the
reply that has the floor, the draft, and what is known of the user's turn (`evidence.py`). Sound
pauses a reply, words end it; an acknowledgement is kept in history and the reply goes on, except
where it is an answer (`VoiceStarted.answers`). Where the application ends turns by hand
(`Rules.manual`), the user's sounds and words do nothing to a reply that has begun. Every wait has a
deadline here: a stuck detector, endless noise and a recogniser that never finishes each have one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from antiphon.pipeline import observations as o
from antiphon.pipeline.drafts import Drafts
from antiphon.pipeline.evidence import Evidence
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
        self._evidence = Evidence()
        self._drafts = Drafts()

    @property
    def text(self) -> str:
        """What the user has said that is not yet handed on."""
        return self._evidence.text

    @property
    def unfinished(self) -> bool:
        """The user is speaking, or has said words whose final transcript is still to come."""
        going_on = self.user in (User.VOICED, User.ENDING)
        return going_on or self._evidence.words.interim

    @property
    def awaited(self) -> bool:
        """Words may still come: what is there is not the final transcript of the last voice."""
        return self.unfinished and not (self.user is User.ENDING and self._evidence.heard_out)

    @property
    def unjudged(self) -> bool:
        """A voice over the reply waits for a model to say that it interrupts."""
        return self._evidence.unjudged(self.rules)

    @property
    def committing(self) -> bool:
        """A CommitNow waits for the final transcript."""
        return self._evidence.asked is not None

    @property
    def deadline(self) -> float | None:
        """When to observe a Tick; None when only an observation can change anything."""
        return min((at for at, _ in self._due()), default=None)

    def observe(self, seen: o.Observation, now: float) -> list[o.Decision]:
        """Take note of `seen` at `now` (seconds) and say what to do, in order."""
        out: list[o.Decision] = []
        if self.user is User.CLOSED:
            self._note(seen, now, out)
            return out

        self._apply(seen, now, out)
        while due := [pair for pair in self._due() if pair[0] <= now]:
            min(due, key=lambda pair: pair[0])[1](now, out)  # each removes its own deadline
        self._prepare(now, out)
        return out

    def _apply(self, seen: o.Observation, now: float, out: list[o.Decision]) -> None:
        match seen:
            case o.VoiceStarted():
                self._on_voice(seen, now, out)
            case o.VoiceStopped():
                self._on_silence(seen, now, out)
            case o.VoiceFaded():
                self._evidence.faded = seen.at
            case o.Transcript():
                self._on_transcript(seen, now, out)
            case o.Score():
                self._evidence.score = seen
            case o.BargedIn():
                if self._evidence.judge(self.rules):
                    self._lasted(now, out)
            case o.Granted():
                self._on_granted(seen, out)
            case o.Audible() | o.Gone() | o.Protect():
                self._on_reply(seen, now, out)
            case o.Working():
                self._working = seen.replies > 0
                self._act(Cue.WORK if self._working else Cue.NO_WORK, out)
            case o.Interrupt():
                self._act(Cue.FORCE if seen.force else Cue.INTERRUPT, out, "application")
            case o.CommitNow():
                self._on_commit(seen, now, out)
            case o.Clear():
                self._evidence.asked = None
                self._evidence.words.hand_on()
                self._drafts.made = 0
                if self.user is not User.VOICED:
                    self._over(out)
            case o.Closed():
                self._evidence.asked = None
                self._keep(out)
                self._move(Cue.CLOSE)
            case o.Tick():
                pass
            case _:
                assert_never(seen)

    def _note(self, seen: o.Observation, now: float, out: list[o.Decision]) -> None:
        """The session has ended: late words are kept, and the reply on the floor leaves it."""
        if isinstance(seen, o.Gone):
            self._on_reply(seen, now, out)
        elif isinstance(seen, o.Transcript) and seen.final:
            self._evidence.hear(seen, now, self.rules, self.user)
            self._keep(out)

    def _due(self) -> list[Due]:
        """Every deadline that stands, with what is to be done then."""
        known = self._evidence
        due: list[Due] = []
        if self.user is User.CLOSED:
            return due
        if known.asked is not None:
            due.append((known.asked_until, self._end_commit))
        if self.user is User.ENDING and (known.asked is None or known.words.settled):
            due.append((known.ends_at(self.rules), self._end_turn))
        elif self.user is User.VOICED:
            may_pause = self.floor is Floor.AUDIBLE and not self.rules.manual
            if may_pause and (lasts := known.lasts_at(self.rules)) is not None:
                due.append((lasts, self._lasted))
            if self.text:
                due.append((known.words_at + self.rules.stuck_voice, self._unstick))
        if self.floor in HELD:
            begun = self.floor is Floor.PAUSED
            if (calm := known.calm_at(self.rules, self.user, begun=begun)) is not None:
                due.append((calm, self._calm))
        return due

    def _on_voice(self, seen: o.VoiceStarted, now: float, out: list[o.Decision]) -> None:
        if self.user is User.VOICED:
            return
        self._evidence.voice(seen, now, self.rules, self.user, over=self.floor is Floor.AUDIBLE)
        self._move(Cue.VOICE)
        out.append(o.UserIs("speaking", seen.at))
        if not self.rules.manual:
            self._act(Cue.VOICE, out)

    def _on_silence(self, seen: o.VoiceStopped, now: float, out: list[o.Decision]) -> None:
        if self.user is User.ENDING and self._evidence.open and seen.ends:
            self._evidence.last_voice, self._evidence.open = seen.at, False
        if self.user is not User.VOICED:
            return

        alone = self.floor not in (Floor.AUDIBLE, Floor.PAUSED, Floor.PROTECTED)
        self._evidence.silence(seen, now, self.rules, alone=alone)
        self._move(Cue.SILENCE)
        out += (o.UserIs("listening", seen.at), o.Flush())

    def _on_transcript(self, seen: o.Transcript, now: float, out: list[o.Decision]) -> None:
        if not self._evidence.hear(seen, now, self.rules, self.user):
            return
        if self.text and self.user is User.QUIET:
            self._move(Cue.LATE_WORDS)
        self._weigh(out)
        if seen.final and self.committing:
            self._end_commit(now, out)

    def _weigh(self, out: list[o.Decision]) -> None:
        """May the words heard so far end (or hold) the reply on the floor?"""
        if self.rules.manual or self.floor is Floor.FREE or not self._counts():
            return
        if self.floor in (Floor.WAITING, Floor.STAYED) and not self.kind.answers:
            self._act(Cue.HOLDING_WORDS, out)
        elif self.floor is not Floor.AUDIBLE or self._evidence.voice_since is None:
            self._act(Cue.WORDS, out, "voice")
        elif self.user is User.VOICED and self._evidence.young is None:
            self._act(Cue.WORDS, out, "voice")  # long enough; as noise it had let the reply go on

    def _on_granted(self, seen: o.Granted, out: list[o.Decision]) -> None:
        self.gen, self.kind = seen.gen, seen.kind
        if seen.kind.protected:
            cue = Cue.GRANTED_PROTECTED
        else:
            ending = self.user is User.ENDING and self._evidence.voice_since is not None
            held = self.user is User.VOICED or (ending and not self.rules.manual)
            cue = Cue.GRANTED_HELD if held else Cue.GRANTED
        self._act(cue, out)
        self._weigh(out)  # words may have come before it

    def _on_reply(
        self, seen: o.Audible | o.Gone | o.Protect, now: float, out: list[o.Decision]
    ) -> None:
        if seen.gen != self.gen:
            return
        if isinstance(seen, o.Audible):
            self._evidence.reply_sounds(now, self.user)
            self._act(Cue.SOUNDED, out)
        elif isinstance(seen, o.Gone):
            self._evidence.judged = None
            self._act(Cue.GONE, out)
        else:
            self._on_protect(seen, out)

    def _on_protect(self, seen: o.Protect, out: list[o.Decision]) -> None:
        self.kind = self.kind.but(protected=seen.protected)
        if seen.protected:
            self._act(Cue.PROTECT, out)
            return

        self._act(Cue.UNPROTECT, out)
        if self.user is User.VOICED and not self.rules.manual:
            self._act(Cue.VOICE, out)
        self._weigh(out)  # words may have come while it was protected

    def _on_commit(self, seen: o.CommitNow, now: float, out: list[o.Decision]) -> None:
        self._evidence.ask(seen, now)
        if self._evidence.words.settled and self.user is not User.VOICED:
            self._end_commit(now, out)
        else:
            out.append(o.Flush())

    # What the deadlines mean.

    def _lasted(self, now: float, out: list[o.Decision]) -> None:
        self._evidence.young = None
        resumes = self.rules.false_interruption is not None
        if self._counts() or (not resumes and self.rules.min_words == 0):
            self._act(Cue.WORDS, out, "voice")
        elif resumes:
            self._act(Cue.LASTED, out)

    def _calm(self, now: float, out: list[o.Decision]) -> None:
        self._evidence.young = None  # it was noise so far: only words end the reply now
        self._act(Cue.CALM, out)

    def _unstick(self, now: float, out: list[o.Decision]) -> None:
        """The detector says "voice" for ever, but the words ended long ago."""
        self._on_silence(o.VoiceStopped(self._evidence.words_at), now, out)

    def _end_commit(self, now: float, out: list[o.Decision]) -> None:
        asked, self._evidence.asked = self._evidence.asked, None
        assert asked is not None
        if self.text:
            self._hand_on(out, answer=asked.answer)
        self._over(out)

    def _end_turn(self, now: float, out: list[o.Decision]) -> None:
        if self.committing:
            self._end_commit(now, out)
        elif self.text and not self.rules.manual:
            if self.floor is Floor.FREE or self._counts():
                self._hand_on(out)
            else:  # there is a reply to go on with, and the words ask for no other
                self._keep(out)
                self._act(Cue.KEPT, out)
        elif not self.text and self._evidence.voice_since is not None:
            out.append(o.Unrecognised(self._evidence.spoken()))
        self._over(out)

    def _counts(self) -> bool:
        return self._evidence.counts(self.rules, voiced=self.user is User.VOICED)

    def _hand_on(self, out: list[o.Decision], *, answer: bool = True) -> None:
        text = self.text
        unheard = self.floor in (Floor.WAITING, Floor.STAYED) and self.kind.answers
        self._act(Cue.WORDS if unheard else Cue.TURN, out, "turn")
        self._drafts.drop_unless(text, out)
        out.append(o.Commit(text, self._drafts.hand_on(), answer, self._evidence.language))
        self._forget()

    def _keep(self, out: list[o.Decision]) -> None:
        if self.text:
            out.append(o.Keep(self.text, self._evidence.language))
            self._forget()

    def _forget(self) -> None:
        self._evidence.hand_on()
        self._drafts.made = 0

    def _prepare(self, now: float, out: list[o.Decision]) -> None:
        """Start, keep or drop the prepared reply, as words and floor now are.

        A final transcript may well come before the detector of voice has seen the end.
        """
        free, voiced = self.floor is Floor.FREE, self.user is User.VOICED
        self._drafts.drop_unless(self.text if free else None, out)
        settled = self._evidence.words.settled and self.user is not User.QUIET
        spoken = self._evidence.spoken(now if voiced else None)
        if free and settled and self._drafts.wanted(self.rules, spoken, voiced=voiced):
            self._drafts.make(self.text, out)

    def _over(self, out: list[o.Decision]) -> None:
        self._evidence.judged = None
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
            resume = o.Resume(self.gen, held_by_turn=cue is Cue.OVER)
            held = o.Pause(self.gen) if act is Act.PAUSE else resume
            out.append(o.Cut(self.gen, why) if act is Act.CUT else held)
        if self.floor in UNHELD:
            self.gen = None
        if AGENT_IS[self.floor] != AGENT_IS[before]:
            out.append(o.AgentIs(AGENT_IS[self.floor]))
