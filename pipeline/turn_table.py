"""The transitions of turn-taking, as two tables that are also their documentation.

A row reads: in this state, on this cue, go there and do that to the reply on the floor. A pair
that is not in a table changes nothing. Where a row leads to FREE while tools run, it leads to
WORKING. `turns.py` finds out which cue an observation is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Looked(Enum):
    """Members that the tables are asked for: hashed as what they are, not by way of their name."""

    __hash__ = object.__hash__


class User(Looked):
    """Where the user's turn is."""

    QUIET = "quiet"
    VOICED = "voiced"
    ENDING = "ending"  # silent, and the turn may be over
    CLOSED = "closed"  # for good: what is still heard is kept, and nothing is decided any more


class Floor(Looked):
    """Where the reply that has the floor is."""

    FREE = "free"
    WORKING = "working"  # nobody has it, and tools run whose reply will come
    WAITING = "waiting"  # granted, no sound yet
    STAYED = "stayed"  # held before its first sound
    AUDIBLE = "audible"
    PAUSED = "paused"  # held after its first sound
    GUARDED = "guarded"  # not to be interrupted, no sound yet
    PROTECTED = "protected"  # not to be interrupted, after its first sound


class Cue(Looked):
    """What an observation means for the two tables."""

    GRANTED = "granted while the user is quiet"
    GRANTED_HELD = "granted while the user is not quiet"
    GRANTED_PROTECTED = "granted, and not to be interrupted"
    SOUNDED = "first sound"
    VOICE = "voice starts"
    SILENCE = "voice stops"
    LASTED = "voice for min_duration"
    WORDS = "words that may end a reply"
    HOLDING_WORDS = "words, while the application's speech is not heard yet"
    LATE_WORDS = "words while the user was quiet"
    TURN = "end of turn, with words that ask for an answer"
    KEPT = "end of turn, with words to keep"
    CALM = "it was nothing"
    OVER = "end of turn"
    CLOSE = "the session ends"
    PROTECT = "may not be interrupted any more"
    UNPROTECT = "may be interrupted again"
    GONE = "left the floor"
    WORK = "tools run for a reply"
    NO_WORK = "no tool runs any more"
    INTERRUPT = "the application interrupts"
    FORCE = "the application interrupts, protected or not"


class Act(Enum):
    """What to do to the reply on the floor."""

    PAUSE = "pause"
    RESUME = "resume"
    CUT = "cut"


HELD: Final = (Floor.STAYED, Floor.PAUSED)

UNHELD: Final = (Floor.FREE, Floor.WORKING)

FLOOR: Final[dict[tuple[Floor, Cue], tuple[Floor, tuple[Act, ...]]]] = {
    **{(f, Cue.GRANTED): (Floor.WAITING, ()) for f in UNHELD},
    **{(f, Cue.GRANTED_HELD): (Floor.STAYED, (Act.PAUSE,)) for f in UNHELD},
    **{(f, Cue.GRANTED_PROTECTED): (Floor.GUARDED, ()) for f in UNHELD},
    (Floor.FREE, Cue.WORK): (Floor.WORKING, ()),
    (Floor.WORKING, Cue.NO_WORK): (Floor.FREE, ()),
    (Floor.WAITING, Cue.SOUNDED): (Floor.AUDIBLE, ()),
    (Floor.WAITING, Cue.VOICE): (Floor.STAYED, (Act.PAUSE,)),
    (Floor.WAITING, Cue.HOLDING_WORDS): (Floor.STAYED, (Act.PAUSE,)),
    (Floor.WAITING, Cue.WORDS): (Floor.FREE, (Act.CUT,)),
    (Floor.STAYED, Cue.WORDS): (Floor.FREE, (Act.CUT,)),
    (Floor.STAYED, Cue.CALM): (Floor.WAITING, (Act.RESUME,)),
    (Floor.STAYED, Cue.OVER): (Floor.WAITING, (Act.RESUME,)),
    (Floor.AUDIBLE, Cue.LASTED): (Floor.PAUSED, (Act.PAUSE,)),
    (Floor.AUDIBLE, Cue.WORDS): (Floor.FREE, (Act.CUT,)),
    (Floor.AUDIBLE, Cue.TURN): (Floor.FREE, (Act.CUT,)),
    (Floor.PAUSED, Cue.WORDS): (Floor.FREE, (Act.CUT,)),
    (Floor.PAUSED, Cue.TURN): (Floor.FREE, (Act.CUT,)),
    (Floor.PAUSED, Cue.KEPT): (Floor.AUDIBLE, (Act.RESUME,)),
    (Floor.PAUSED, Cue.CALM): (Floor.AUDIBLE, (Act.RESUME,)),
    (Floor.WAITING, Cue.PROTECT): (Floor.GUARDED, ()),
    (Floor.STAYED, Cue.PROTECT): (Floor.GUARDED, (Act.RESUME,)),
    (Floor.AUDIBLE, Cue.PROTECT): (Floor.PROTECTED, ()),
    (Floor.PAUSED, Cue.PROTECT): (Floor.PROTECTED, (Act.RESUME,)),
    (Floor.GUARDED, Cue.SOUNDED): (Floor.PROTECTED, ()),
    (Floor.GUARDED, Cue.UNPROTECT): (Floor.WAITING, ()),
    (Floor.PROTECTED, Cue.UNPROTECT): (Floor.AUDIBLE, ()),
    **{(f, Cue.GONE): (Floor.FREE, ()) for f in Floor if f not in UNHELD},
    **{(f, Cue.FORCE): (Floor.FREE, (Act.CUT,)) for f in Floor if f not in UNHELD},
    **{
        (f, Cue.INTERRUPT): (Floor.FREE, (Act.CUT,))
        for f in Floor
        if f not in (*UNHELD, Floor.GUARDED, Floor.PROTECTED)
    },
}

USER: Final[dict[tuple[User, Cue], User]] = {
    (User.QUIET, Cue.VOICE): User.VOICED,
    (User.ENDING, Cue.VOICE): User.VOICED,
    (User.VOICED, Cue.SILENCE): User.ENDING,
    (User.QUIET, Cue.LATE_WORDS): User.ENDING,
    (User.ENDING, Cue.OVER): User.QUIET,
    (User.QUIET, Cue.CLOSE): User.CLOSED,
    (User.VOICED, Cue.CLOSE): User.CLOSED,
    (User.ENDING, Cue.CLOSE): User.CLOSED,
}

AGENT_IS: Final = {
    Floor.FREE: "listening",
    Floor.WORKING: "thinking",
    Floor.WAITING: "thinking",
    Floor.STAYED: "thinking",
    Floor.AUDIBLE: "speaking",
    Floor.PAUSED: "listening",
    Floor.GUARDED: "thinking",
    Floor.PROTECTED: "speaking",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """When turns begin and end. All times in seconds, from the user's last (or first) voice."""

    min_delay: float = 0.5
    max_delay: float = 3.0
    memory: float | None = None  # min_delay follows the user's pauses; the weight of earlier ones
    min_duration: float = 0.2
    min_words: int = 0
    false_interruption: float | None = 1.0  # None: sound ends a reply, nothing is resumed
    noise: float = 3.0  # voice without a word for so long holds a reply no more
    transcript_timeout: float = 2.5  # a final transcript is waited for so long
    stuck_voice: float = 5.0  # with words, but no news of them: the detector hangs
    manual: bool = False  # only CommitNow ends a turn
    opinion: float | None = None  # final words wait so long for a model to say if they are all
    judged_after: float | None = None  # a voice so long into a reply is a model's to judge
    drafts: int = 3  # prepared replies in one turn, at most
    draft_max_speech: float = 10.0  # no preparing for turns longer than this
