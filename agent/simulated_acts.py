"""What a simulated caller can do: the acts of a script. They are values; `Call.play` plays them.

Acts follow one another. One `at=` a time is apart from that order: it happens at that second of the
call, whatever else goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from antiphon.pipeline.errors import UsageError
from antiphon.simulated_caller import Ears, Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from antiphon.simulated_call import Call

GAP: Final = 0.5  # seconds a polite caller waits when the agent has finished
WORDS_PER_SECOND: Final = 2.5


@dataclass(frozen=True, slots=True)
class When:
    """The moment of an act. Of `word`, `into` and `at` at most one; without them, `gap`."""

    gap: float | None = None  # seconds after the agent has finished; None: at once
    word: str | None = None  # when the agent has just said this
    into: float | None = None  # seconds after the agent began to speak
    at: float | None = None  # seconds after the call began, apart from the other acts

    def __post_init__(self) -> None:
        given = [name for name in ("word", "into", "at") if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(f"one moment, please: {' or '.join(f'{name}=' for name in given)}")
        if self.word is not None and not any(c.isalnum() for c in self.word):
            raise UsageError(f"word={self.word!r} has no word in it")


class Act:
    """One thing in a script: what `says`, `pauses`, `listens`, `leaves`, `does` … give."""

    __slots__ = ()
    when: When


@dataclass(frozen=True, slots=True)
class Utterance(Act):
    """The caller makes sounds: words, with hesitations between them, or none."""

    what: str  # for messages
    pieces: tuple[Piece, ...]
    when: When
    ears: Ears | None = None  # None: as the detector and the recogniser are set
    heard: str | None = None  # what the recogniser makes of it; None: just that

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class Pause(Act):
    """The caller does nothing for so long."""

    seconds: float
    when: When = field(default_factory=When)

    def __str__(self) -> str:
        return f"pauses({self.seconds:g})"


@dataclass(frozen=True, slots=True)
class Listening(Act):
    """The caller waits for the moment."""

    when: When

    def __str__(self) -> str:
        return f"listens(word={self.when.word!r})" if self.when.word else "listens()"


@dataclass(frozen=True, slots=True)
class Leaving(Act):
    """The caller hangs up."""

    when: When

    def __str__(self) -> str:
        return "leaves()"


@dataclass(frozen=True, slots=True)
class Deed(Act):
    """The application does something; `do` is given the call."""

    do: Callable[[Call], Any]
    when: When

    def __str__(self) -> str:
        return f"does({getattr(self.do, '__name__', 'something')})"


@dataclass(frozen=True, slots=True)
class Hesitation:
    """A pause inside one turn; a part of `says`."""

    seconds: float


def checked(script: Iterable[object]) -> list[Act]:
    """The acts of a script; UsageError for what cannot be played."""
    acts: list[Act] = []
    for act in script:
        if isinstance(act, Hesitation):
            raise UsageError(
                'hesitates() goes into says("I would like", hesitates(0.8), "a table")'
            )
        if not isinstance(act, Act):
            raise UsageError(f"a script is a list of acts, as says({act!r}); {act!r} is none")
        if any(isinstance(before, Leaving) and before.when.at is None for before in acts):
            raise UsageError(f"{act} comes after leaves(), which ends the call")
        acts.append(act)
    return acts


def says(
    *parts: str | Hesitation,
    lasts: float | None = None,
    words_per_second: float = WORDS_PER_SECOND,
    gap: float | None = GAP,
    word: str | None = None,
    into: float | None = None,
    at: float | None = None,
    heard: str | None = None,
    ears: Ears | None = None,
) -> Utterance:
    """Say something: `says("I would like", hesitates(0.8), "a table for two")`.

    Begins `gap` seconds after the agent has finished, as a polite caller does (None: at once), or
    when the agent has said `word`, is `into` so many seconds of its speech, or `at` so many seconds
    of the call. Takes `lasts` seconds without the hesitations, else as long as the words need.
    `heard` is what a scripted recogniser makes of it instead; `ears` how quickly.
    """
    if heard is not None and len(parts) > 1:
        raise UsageError("heard= goes with one text and no hesitation")
    count = sum(len(part.split()) for part in parts if isinstance(part, str))
    if not count:
        raise UsageError("says() wants words; for a sound without any write coughs()")
    total = count / words_per_second if lasts is None and words_per_second > 0 else lasts
    if total is None or total <= 0:
        raise UsageError("speaking takes time: lasts= and words_per_second= are more than 0")
    pieces: list[Piece] = []
    now = 0.0
    for part in parts:
        if isinstance(part, str):
            end = now + total * len(part.split()) / count
            pieces.append(Piece(part, now, end))
            now = end
        elif isinstance(part, Hesitation):
            now += part.seconds
        else:
            raise UsageError(f"says() takes texts and hesitates(seconds), not {part!r}")
    what = f"says({' … '.join(repr(piece.text) for piece in pieces)})"
    return Utterance(what, tuple(pieces), When(gap, word, into, at), ears, heard)


def hesitates(seconds: float) -> Hesitation:
    """A pause inside one turn of the caller's; a part of `says`."""
    return Hesitation(seconds)


def interrupts(
    text: str,
    *,
    word: str | None = None,
    into: float | None = None,
    lasts: float | None = None,
    ears: Ears | None = None,
) -> Utterance:
    """Speak over the agent, when it has just said `word` (or several), or `into` so many seconds
    of its speech: `interrupts("Stop, please", word="opening hours")`."""
    if word is None and into is None:
        raise UsageError('when? write interrupts(…, word="…") or interrupts(…, into=1.5)')
    return says(text, word=word, into=into, lasts=lasts, ears=ears)


def hums(
    text: str = "mm-hmm",
    *,
    lasts: float = 0.3,
    word: str | None = None,
    into: float | None = None,
    at: float | None = None,
    ears: Ears | None = None,
) -> Utterance:
    """Hum an acknowledgement over the agent's speech; without a moment, one second into it."""
    if word is None and into is None and at is None:
        into = 1.0
    return says(text, lasts=lasts, word=word, into=into, at=at, ears=ears)


def coughs(
    lasts: float = 0.6,
    *,
    gap: float | None = GAP,
    word: str | None = None,
    into: float | None = None,
    at: float | None = None,
    ears: Ears | None = None,
) -> Utterance:
    """Make a sound without words; the moment as in `says`."""
    piece = Piece("", 0.0, lasts)
    return Utterance(f"coughs({lasts:g})", (piece,), When(gap, word, into, at), ears)


def pauses(seconds: float) -> Pause:
    """Do nothing for so many seconds, whatever the agent does."""
    return Pause(seconds)


def listens(*, gap: float = GAP, word: str | None = None, into: float | None = None) -> Listening:
    """Wait until the agent has finished and been silent for `gap` seconds, or has said `word`, or
    is `into` so many seconds of its speech."""
    return Listening(When(gap, word, into))


def leaves(
    *, word: str | None = None, into: float | None = None, at: float | None = None
) -> Leaving:
    """Hang up: at once, or at that moment (as in `says`). Without it, the caller hangs up when the
    script is over and the agent has finished."""
    return Leaving(When(None, word, into, at))


def does(
    do: Callable[[Call], Any],
    *,
    gap: float | None = None,
    word: str | None = None,
    into: float | None = None,
    at: float | None = None,
) -> Deed:
    """Have the application do something: `does(lambda call: call.session.interrupt())`.

    At once, or at that moment (as in `says`). A coroutine is awaited, in its place in the script.
    """
    return Deed(do, When(gap, word, into, at))
