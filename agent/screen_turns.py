"""A conversation as a screen shows it: who said what, and why it took as long as it did.

Read from the timeline's records and the agent's captions, and from nothing else. A block is what
one side said in one go, or a line of the console's. Words that may yet change, and words that were
made ready and cut before they were heard, are kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, cast

from antiphon import screen_names as names

if TYPE_CHECKING:
    from antiphon.pipeline import timeline


class Who(Enum):
    """Whose words a block holds."""

    USER = names.USER
    AGENT = names.AGENT
    TOOL = "tool"
    NOTE = "note"
    PRINT = "out"


@dataclass(frozen=True, slots=True)
class Delay:
    """What the answer to a turn waited for: seconds by the names of `pipeline.timeline`."""

    parts: dict[str, float]
    total: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Seconds to silence since the user's voice began, and since that was noticed."""

    voice: float
    detection: float


@dataclass(slots=True, eq=False)
class Block:
    """One go. `at` is in seconds since the session's start, None for what is not spoken."""

    who: Who
    text: str = ""
    at: float | None = None
    label: str = ""  # instead of `who`
    interim: str = ""  # the user's last words, which may yet be others
    unheard: str = ""  # the agent's, made ready and cut
    interrupted: bool = False
    below: list[Delay | Stop | str] = field(default_factory=list)


class Turns:
    """Mutable state: the blocks so far and which have changed, the user's words that are open, the
    agent's, and what either is doing."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.user_is = "listening"
        self.agent_is = "initializing"
        self._changed: dict[int, Block] = {}
        self._places: dict[int, int] = {}  # of a block, by its id
        self._voice_at: float | None = None
        self._user: Block | None = None  # whose turn is not over
        self._kept: Block | None = None  # of the turn that has just ended
        self._of_turn: dict[int, Block] = {}
        self._written: Block | None = None  # that nobody answers yet
        self._answered_by: dict[int, Block] = {}  # what was written, by the number of the reply
        self._agent: Block | None = None  # that is being heard
        self._last: Block | None = None  # of the agent's
        self._told = False  # to its end, which comes before the captions' own
        self._audible: float | None = None
        self._seated = False  # an agent has been in charge
        self._now = 0.0
        self._calls: dict[object, tuple[Block, float]] = {}

    def changed(self) -> int | None:
        """The first block that is not as it was when this was asked last; None if all are."""
        first = min(self._changed, default=None)
        self._changed = {}
        return first

    def notice(self, label: str, text: str) -> None:
        """A line of the console's own."""
        self._add(Block(Who.NOTE, text, label=label))

    def printed(self, text: str) -> None:
        """What the program prints: in a line of its own, which it may write over (\\r)."""
        last = self.blocks[-1] if self.blocks else None
        if last is None or last.who is not Who.PRINT or last.text.endswith("\n"):
            if not text.strip("\r\n"):
                return
            goes_on = last is not None and last.who is Who.PRINT
            last = self._add(Block(Who.PRINT, label=" " if goes_on else ""))
        for piece in text.splitlines(keepends=True):
            kept, end, line = last.text.rpartition("\n")
            written = (line + piece.rstrip("\n")).rstrip("\r")
            last.text = kept + end + written.rpartition("\r")[2] + ("\n" * piece.endswith("\n"))
            if piece.endswith("\r"):
                last.text += "\r"
        self._touch(last)

    def note(self, record: timeline.Record) -> None:
        """Something happened."""
        self._now = record.t
        detail = record.detail
        match record.kind:
            case "audible":
                self._audible = record.t
                if self._agent is not None and not self._agent.text:
                    self._agent = None  # it was cut in its first word, and no caption ends it
            case "message" if detail["role"] == "user":
                self._user_said(str(detail["text"]), record)
            case "message" if detail["role"] == "assistant":
                self._agent_said(str(detail["text"]), cut=bool(detail["interrupted"]))
            case "handoff":
                if self._seated:
                    self.notice("now", str(detail["to"]))
                self._seated = True
            case _:
                self._note_of_the_user(record)
                self._note_of_the_agent(record)

    def words(self, text: str) -> None:
        """The agent's, just heard."""
        if self._told:
            return
        if self._agent is None:
            if not text.strip():
                return
            self._agent = self._begin_reply()
        self._agent.text += text
        self._touch(self._agent)

    def silence(self) -> None:
        """The reply is over."""
        self._told, self._agent = False, None

    # The user's side.

    def _note_of_the_user(self, record: timeline.Record) -> None:
        detail = record.detail
        match record.kind:
            case "voice_started" if self._user is None:
                self._voice_at = cast("float", detail["at"])
            case "transcript":
                self._transcribed(str(detail["text"]).strip(), final=bool(detail["final"]))
            case "commit" | "keep":
                self._kept, self._user = self._user, None
                if self._kept is not None and record.turn is not None:
                    self._of_turn[record.turn] = self._kept
            case "unrecognised" | "clear":
                if self._user is not None:
                    self._user.interim = ""
                    self._touch(self._user)
                if record.kind == "clear":
                    self._user = None

    def _transcribed(self, text: str, *, final: bool) -> None:
        if self._user is None:
            if not text:
                return
            at = self._now if self._voice_at is None else self._voice_at
            self._user = self._add(Block(Who.USER, at=at))
            self._voice_at = None
        if final:
            self._user.text = f"{self._user.text} {text}".strip()
        self._user.interim = "" if final else text
        self._touch(self._user)

    def _user_said(self, text: str, record: timeline.Record) -> None:
        """History has it: that is what counts."""
        block = self._of_turn.get(record.turn or 0)
        if block is None and self._kept is not None and self._kept.text == text.strip():
            block = self._kept
        if block is None:
            block = self._add(Block(Who.USER, at=record.t))
        if record.turn is not None:
            self._of_turn[record.turn] = block
        else:
            self._written = block
        self._kept = None
        block.text, block.interim = text.strip(), ""
        self._touch(block)

    # The agent's side.

    def _note_of_the_agent(self, record: timeline.Record) -> None:
        detail = record.detail
        match record.kind:
            case "reply_started" if self._written and detail["source"] == "generate_reply":
                self._answered_by[record.reply or 0], self._written = self._written, None
            case "delay":
                parts = cast("dict[str, float]", detail["parts"])
                written = self._answered_by.pop(record.reply or 0, None)
                block = self._of_turn.get(record.turn or 0) or written or self._last
                self._below(block, Delay(parts, cast("float", detail["total"])))
            case "stopped":
                voice, detection = detail["voice"], detail["detection"]
                stop = Stop(cast("float", voice), cast("float", detection))
                self._below(self._heard_now(), stop)
            case "cost":
                self._below(self._of_turn.get(record.turn or 0) or self._last, names.paid(record))
            case "resume":
                self._below(self._heard_now(), names.WENT_ON)
            case "unheard":
                if (block := self._heard_now()) is not None:
                    block.unheard = str(detail["text"])
                    self._touch(block)
            case "tool_started":
                block = self._add(Block(Who.TOOL, str(detail["name"]), at=record.t))
                self._calls[detail["call"]] = block, record.t
            case "tool_ended" if detail["call"] in self._calls:
                block, began = self._calls.pop(detail["call"])
                failed = " and failed" if detail.get("error") else ""
                block.text += f"  {record.t - began:.2f} s{failed}"
                self._touch(block)

    def _agent_said(self, text: str, *, cut: bool) -> None:
        """History has it: that is what was heard."""
        block = self._agent if not self._told else None
        if block is None:
            block = self._begin_reply()
        block.text, block.interrupted = text, cut
        self._told, self._agent = True, None
        self._touch(block)

    def _heard_now(self) -> Block | None:
        """The reply that is being heard, though perhaps not to the end of a word; or the last."""
        if self._agent is None and self._audible is not None:
            self._agent = self._begin_reply()
        return self._agent or self._last

    def _begin_reply(self) -> Block:
        at = self._now if self._audible is None else self._audible
        self._audible = None
        self._last = self._add(Block(Who.AGENT, at=at))
        return self._last

    # The blocks.

    def _below(self, block: Block | None, line: Delay | Stop | str) -> None:
        if block is not None:
            block.below.append(line)
            self._touch(block)

    def _add(self, block: Block) -> Block:
        self._places[id(block)] = len(self.blocks)
        self.blocks.append(block)
        self._touch(block)
        return block

    def _touch(self, block: Block) -> None:
        self._changed[self._places[id(block)]] = block
