"""What is known of the turn that the user is speaking; the turn machine decides what follows.

Every time here is a time of the caller's clock, in seconds. What depends on the rules is worked
out when it is asked for, so that other rules hold from the moment they are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from antiphon.pipeline.endpointing import Pauses, patience
from antiphon.pipeline.interruption import counts
from antiphon.pipeline.turn_table import User
from antiphon.pipeline.utterance import Utterance

if TYPE_CHECKING:
    from antiphon.pipeline.observations import (
        CommitNow,
        Score,
        Transcript,
        VoiceStarted,
        VoiceStopped,
    )
    from antiphon.pipeline.turn_table import Rules


class Evidence:
    """The words not yet handed on, the times of the voice, and what the application has asked for.

    Mutable state; `None` stands for what there is not.
    """

    def __init__(self) -> None:
        self.words = Utterance()
        self.words_at = 0.0  # last news of words, or start of the voice
        self.language: str | None = None
        self.answers = False  # "yes" would be an answer (VoiceStarted.answers)
        self.voice_since: float | None = None  # the turn's first voice; None: words without voice
        self.last_voice = 0.0  # end of the last voiced frame
        self.silent_since = 0.0  # when that was noticed
        self.lasted = False  # a voice of this turn has lasted min_duration
        self.open = False  # the recogniser has not yet said that the turn ends
        self.young: tuple[float, float] | None = None  # a voice that may prove short: start, notice
        self.faded: float | None = None  # silent since then, as far as is known
        self.score: Score | None = None
        self.judged: bool | None = None  # may this voice interrupt? False: a model has not said so
        self.pauses = Pauses()
        self.sounded: float | None = None  # since the last voice, when a reply did
        self.began = 0.0  # when a reply last gave its first sound
        self.asked: CommitNow | None = None
        self.asked_until = 0.0

    @property
    def text(self) -> str:
        """What the user has said that is not yet handed on."""
        return self.words.text

    def spoken(self, until: float | None = None) -> float:
        """Seconds from the turn's first voice to its last, or `until` then."""
        until = self.last_voice if until is None else until
        return 0.0 if self.voice_since is None else until - self.voice_since

    @property
    def heard_out(self) -> bool:
        """What there is is the final transcript of the last voice."""
        return self.words.settled and self.words_at >= self.last_voice

    # What comes in.

    def voice(
        self, seen: VoiceStarted, now: float, rules: Rules, user: User, *, over: bool
    ) -> None:
        """A voice starts, `over` a reply perhaps. After so long a silence it has words of its own:
        no final transcript of what was said before is waited for any more."""
        asks = rules.judged_after is not None and seen.at > self.began + rules.judged_after
        if over and asks and self.judged is None:
            self.judged = False
        false_end = self.sounded is None or seen.at <= self.sounded + self.pauses.delay(rules)
        if false_end and self.last_voice:
            self.pauses.learn(seen.at - self.last_voice, rules)
        if now > self.last_voice + rules.transcript_timeout:
            self.words.begin_anew()
        if user is User.QUIET and not self.text:
            self.voice_since = None  # what was heard before had no words
        if self.voice_since is None:
            self.voice_since = seen.at
            self.lasted = False
        self.answers = seen.answers or (self.answers and user is User.ENDING)
        self.young, self.faded = (seen.at, now), None
        self.words_at = now

    def silence(self, seen: VoiceStopped, now: float, rules: Rules, *, alone: bool) -> None:
        """The voice has stopped; what a model made of an earlier silence says nothing of this.
        `alone`: no reply sounds, or is held."""
        self.last_voice, self.silent_since, self.open = seen.at, now, not seen.ends
        self.sounded = None if alone else self.sounded
        self.lasted |= self.young is None or seen.at >= self.young[0] + rules.min_duration
        self.young = self.score = None

    def reply_sounds(self, now: float, user: User) -> None:
        """A reply gives its first sound."""
        self.began = now
        if user is not User.VOICED and self.sounded is None:
            self.sounded = now

    def hear(self, seen: Transcript, now: float, rules: Rules, user: User) -> bool:
        """Take a transcript; False when it is no news."""
        if not self.words.hear(seen.text, final=seen.final, recogniser=seen.recogniser):
            return False
        if user is User.QUIET and now > self.last_voice + 2 * rules.transcript_timeout:
            self.voice_since = None  # too late to be that voice's words: the detector missed some
        self.language = seen.language or self.language
        self.words_at = now
        if rules.opinion is not None:
            self.score = None  # it was of other words
        if self.voice_since is None:
            self.last_voice = self.silent_since = now
            if self.text and user is User.QUIET:
                self.answers, self.score = seen.answers, None
        return True

    def judge(self, rules: Rules) -> bool:
        """A model says that the voice interrupts; False where it was not asked."""
        asked = self.unjudged(rules)
        self.judged = asked or self.judged
        return asked

    def ask(self, asked: CommitNow, now: float) -> None:
        """The application ends the turn."""
        self.asked, self.asked_until = asked, now + asked.timeout

    def hand_on(self) -> None:
        """Somebody else has the words now; the next turn begins."""
        self.words.hand_on()
        self.voice_since = None
        self.answers = False

    # What it means.

    def unjudged(self, rules: Rules) -> bool:
        """A model has yet to say that the voice over the reply interrupts it."""
        return self.judged is False and rules.judged_after is not None

    def counts(self, rules: Rules, *, voiced: bool) -> bool:
        """May these words end a reply? While the user is `voiced` more of them may come."""
        if self.unjudged(rules):
            return False
        if self.answers or self.judged or not self.text:
            return bool(self.text)
        more = voiced and self.words.interim
        return counts(self.text, rules.min_words, self.language, unfinished=more)

    def lasts_at(self, rules: Rules) -> float | None:
        """When this voice will have lasted min_duration; None when it is known already, or says
        nothing."""
        if self.young is None or self.unjudged(rules):
            return None
        start, noticed = self.young
        lasts = start + rules.min_duration
        return None if self.faded is not None and self.faded < lasts else max(noticed, lasts)

    def ends_at(self, rules: Rules) -> float:
        """When a user who stays silent has finished."""
        waited = patience(rules, self.score, self.pauses)
        if self.open and self.text:
            return max(self.last_voice, self.words_at) + rules.stuck_voice
        if self.words.settled:
            ends = self.last_voice + waited
            if rules.opinion is None or self.score is not None:
                return ends
            return max(ends, max(self.silent_since, self.words_at) + rules.opinion)
        latest = max(self.last_voice, self.words_at if self.words.interim else 0.0)
        return latest + max(rules.transcript_timeout, waited)

    def calm_at(self, rules: Rules, user: User, *, begun: bool) -> float | None:
        """When a held reply, `begun` or not, may go on because nothing was said.

        A cough shorter than min_duration does not keep a reply from beginning.
        """
        if user is User.VOICED:
            return None if self.text else self.words_at + rules.noise
        if self.text and user is User.ENDING:
            return None  # the end of the turn will tell
        if self.voice_since is None:  # its words were asked for before it ended
            finished = self.silent_since if rules.manual else self.last_voice + rules.min_delay
            return max(self.silent_since, finished)
        if not (begun or self.lasted):
            return self.silent_since
        if rules.false_interruption is None:
            return self.last_voice + rules.min_delay
        return self.silent_since + rules.false_interruption  # as in LiveKit: from its notice
