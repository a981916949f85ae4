"""The one record of a session: what happened, in order, for every reader there is.

A record is `{t, kind, turn, reply, …}`: `t` in seconds since the session started, `turn` and
`reply` ordinals from 1 (null where none is meant). The kinds:

| kind | what else it says |
|---|---|
| session_started, session_closed | `reason`, `error` |
| voice_started, voice_stopped | `at`: when the voice began, or its last frame ended |
| transcript | `text`, `final`, `language` |
| score | `probability`, `threshold` of an end-of-turn model |
| granted, audible, gone, protect | `gen`: the place in line; `reply_kind` |
| commit_now, clear, interrupt, closed | what the application asked for |
| draft, drop, commit, keep | decisions about the user's words: `text`, `drafted` |
| pause, resume, cut | decisions about the reply; `why` it was cut |
| flush, unrecognised | ask for final words; sounds of so many `seconds` had no words |
| user_is, agent_is | the states |
| reply_started | `source`: answer, say, generate_reply …; `draft` |
| model_called, first_token, first_chunk, first_sound | marks of a step of a reply |
| working | so many `replies` have left the floor while their tools run |
| tool_started, tool_ended | `name`, `call`; `error`: the tool failed or was not run |
| tools_ended | every call of a step is answered, and the next step begins |
| hook_started, hook_ended | on_user_turn_completed, where it is overridden |
| handoff | another agent is in charge: `to` |
| message | history changed: `role`, `text`, `interrupted` |
| unheard | `text` that was made ready when the reply was cut, and was not heard |
| delay | `parts` of a turn's delay in seconds, and `total`; see `delays`; no `turn`: in writing |
| cost | a reply's, in `dollars`: its `parts`, models whose price is `unknown`, the sum `so_far` |
| stopped | a barge-in: seconds from the `voice` and from its `detection` to silence |
| error | `source`, `message` |
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the timeline; `t` in seconds since the session's start."""

    t: float
    kind: str
    turn: int | None = None
    reply: int | None = None
    detail: Mapping[str, object] = field(default_factory=dict)

    def json(self) -> str:
        """One line of JSON with sorted keys, times to the microsecond."""
        fields = {"t": self.t, "kind": self.kind, "turn": self.turn, "reply": self.reply}
        return json.dumps(_rounded({**self.detail, **fields}), sort_keys=True, ensure_ascii=False)


class Timeline:
    """Append-only. `start` is the loop's time at the session's start.

    `veil` hides in the words that are recorded what must not be.
    """

    def __init__(self, start: float) -> None:
        self.start = start
        self.records: list[Record] = []
        self.veil: Callable[[str], str] = str
        self._readers: list[Callable[[Record], None]] = []

    def mark(
        self,
        now: float,
        kind: str,
        turn: int | None = None,
        reply: int | None = None,
        **detail: object,
    ) -> None:
        """Add a record of what happens at `now`, seconds of loop time."""
        if "text" in detail:
            detail["text"] = self.veil(str(detail["text"]))
        record = Record(now - self.start, kind, turn, reply, detail)
        self.records.append(record)
        for reader in self._readers:
            reader(record)

    def note(self, now: float, value: object, turn: int | None, reply: int | None) -> None:
        """Add an observation or a decision; its class names the kind."""
        name, keys = _KINDS.get(type(value)) or _named(type(value))
        detail = {key: getattr(value, key) for key in keys}
        if "kind" in detail:
            detail["reply_kind"] = detail.pop("kind").value
        for key in ("at", "since"):
            if key in detail:
                detail[key] -= self.start
        self.mark(now, name, turn, reply, **detail)

    def read(self, reader: Callable[[Record], None]) -> None:
        """Call `reader` with every record from now on; it must not raise."""
        self._readers.append(reader)


# The parts of a turn's delay, in order, each with the mark that ends it.
PARTS: Final = (
    ("recognition", "transcribed"),
    ("endpointing", "committed"),
    ("hook", "hooked"),
    ("tools", "tools_ended"),
    ("model", "first_token"),
    ("chunk", "first_chunk"),
    ("voice", "first_sound"),
    ("floor", "audible"),
)


def delays(last_voice: float, marks: Mapping[str, float]) -> dict[str, int]:
    """A turn's delay, from the user's last voice to the first sound, in whole microseconds.

    Each part lasts from the latest mark before it to its own; what was done earlier, by
    preparing, costs 0. The parts add up to `audible` minus `last_voice` exactly.
    """
    parts: dict[str, int] = {}
    reached = _micros(last_voice)
    end = max(reached, _micros(marks["audible"]))
    for name, mark in PARTS:
        if name == "tools" and mark not in marks:
            continue
        at = min(max(reached, _micros(marks.get(mark, last_voice))), end)
        parts[name] = at - reached
        reached = at
    return parts


_KINDS: Final[dict[type, tuple[str, tuple[str, ...]]]] = {}


def _named(kind: type) -> tuple[str, tuple[str, ...]]:
    """`VoiceStarted` is recorded as `voice_started`, with its fields."""
    name = "".join("_" + c.lower() if c.isupper() else c for c in kind.__name__).lstrip("_")
    _KINDS[kind] = name, tuple(part.name for part in fields(kind))
    return _KINDS[kind]


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return value
