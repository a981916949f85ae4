"""What the turn machine is told (past tense) and what it decides (imperative). Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a reply is to the turn machine."""

    ANSWER = "answer"  # to the user: new words supersede it while it is unheard
    SPEECH = "speech"  # the application's (`say`, `generate_reply`): unheard, it waits for the user
    PROTECTED = "protected"  # the application's, and may not be interrupted
    PROTECTED_ANSWER = "protected answer"  # to the user, and may not be interrupted

    @property
    def protected(self) -> bool:
        return self in (Kind.PROTECTED, Kind.PROTECTED_ANSWER)

    @property
    def answers(self) -> bool:
        """It answers the user."""
        return self in (Kind.ANSWER, Kind.PROTECTED_ANSWER)

    def but(self, *, protected: bool) -> Kind:
        """The same, protected or not."""
        if self.answers:
            return Kind.PROTECTED_ANSWER if protected else Kind.ANSWER
        return Kind.PROTECTED if protected else Kind.SPEECH


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """The user makes a sound, since `at` seconds of loop time."""

    at: float
    answers: bool = False  # the agent has just asked, or is about to end: "yes" would be an answer


@dataclass(frozen=True, slots=True)
class VoiceStopped:
    """The user is silent; the last voiced frame ended `at` seconds of loop time."""

    at: float
    ends: bool = True  # False: that is no end of a turn before the recogniser says so too


@dataclass(frozen=True, slots=True)
class VoiceFaded:
    """Silence since `at` seconds of loop time, which the detector does not call the end of the
    voice yet; None: the voice is back."""

    at: float | None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser makes of the user's words since its last final one. One that was replaced
    may tell late what was said before anything that the next `recogniser` hears."""

    text: str
    final: bool
    language: str | None = None
    answers: bool = False  # as in VoiceStarted, for words that come without a voice
    recogniser: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """An end-of-turn model's probability that the user has finished."""

    probability: float
    threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class BargedIn:
    """A model of interruptions says that the voice which is heard over the reply is one."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A reply was given the floor."""

    gen: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Audible:
    """The reply on the floor was handed its first sound."""

    gen: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The reply on the floor has left it."""

    gen: int


@dataclass(frozen=True, slots=True)
class Working:
    """So many replies have left the floor while their tools run."""

    replies: int


@dataclass(frozen=True, slots=True)
class Protect:
    """The reply on the floor may no longer (or may again) be interrupted."""

    gen: int
    protected: bool = True


@dataclass(frozen=True, slots=True)
class CommitNow:
    """The application ends the user's turn; it waits `timeout` seconds for a final transcript."""

    timeout: float = 0.0
    answer: bool = True


@dataclass(frozen=True, slots=True)
class Clear:
    """The application throws the user's words away."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The application ends the reply on the floor; `force` ends a protected one too."""

    force: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The session ends: words not yet handed on are kept."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The `deadline` that the timer was set for has come; it may stand no more."""

    deadline: float


Observation = (
    VoiceStarted | VoiceStopped | Transcript | Score | Granted | Audible | Gone | Working
) | (VoiceFaded | BargedIn | Protect | CommitNow | Clear | Interrupt | Closed | Tick)


@dataclass(frozen=True, slots=True)
class Draft:
    """Prepare a reply to these words; the turn may yet go on."""

    text: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Throw the prepared reply away."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The user's turn is over. `drafted`: the prepared reply answers just these words."""

    text: str
    drafted: bool = False
    answer: bool = True
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Words for the history that ask for no reply."""

    text: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold the reply where the listener is."""

    gen: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on where it was held."""

    gen: int
    held_by_turn: bool = field(default=False, compare=False)  # and by no mere sound


@dataclass(frozen=True, slots=True)
class Cut:
    """End the reply; nothing more of it is heard. `why`: "voice", "turn" or "application"."""

    gen: int
    why: str


@dataclass(frozen=True, slots=True)
class Flush:
    """Ask the recogniser for its final words."""


@dataclass(frozen=True, slots=True)
class Unrecognised:
    """The user made sounds for so many seconds, and no word of them was recognised."""

    seconds: float


@dataclass(frozen=True, slots=True)
class UserIs:
    """The user's state for the application, true since `since` (loop time)."""

    state: str
    since: float


@dataclass(frozen=True, slots=True)
class AgentIs:
    """The agent's state for the application."""

    state: str


Decision = (
    Draft | Drop | Commit | Keep | Pause | Resume | Cut | Flush | Unrecognised | UserIs | AgentIs
)
