"""What comes of a simulated call, noted while it happens: lines, states, tool calls, errors."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
from livekit.agents import llm

from antiphon.events import EventTypes
from antiphon.record import Line, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.nodes.wav import Samples
    from antiphon.pipeline.timeline import Record, Timeline
    from antiphon.session import AgentSession

LOGGERS: Final = ("antiphon", "livekit")  # the second has what callbacks of events raise


@dataclass(frozen=True, slots=True)
class State:
    """`who` ("user" or "agent") is in that state since `at` seconds of the call."""

    who: str
    state: str
    at: float


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool in the history; `output` is None while there is none."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    output: str | None = None
    is_error: bool = False


class Notes:
    """All times are seconds since the call began, exact to the microsecond.

    Mutable state: everything, while the call goes on.
    """

    session: AgentSession[Any]

    def __init__(self) -> None:
        self.start = 0.0  # loop time at which the call began
        self.rate = 1  # samples a second of what is heard
        self.ended = 0.0
        self.played: list[tuple[float, Samples]] = []
        self.events: list[tuple[float, EventTypes, Any]] = []
        self.states: list[State] = []
        self.log: list[logging.LogRecord] = []  # errors that the session logged
        self.strays: list[str] = []  # tasks that would not end, by name
        self._transcript = Transcript()
        self._logged = _Errors(self.log)

    # For the test.

    @property
    def lines(self) -> list[Line]:
        """Who said what, when, in the order in which they began; the words as they were heard."""
        return self._transcript.lines

    def said(self, speaker: str) -> list[str]:
        """The texts of "user" or "agent"."""
        return [line.text for line in self.lines if line.speaker == speaker]

    @property
    def tools(self) -> list[ToolCall]:
        """The tool calls of the history, with their outputs."""
        items = self.session.history.items
        outputs = {i.call_id: i for i in items if isinstance(i, llm.FunctionCallOutput)}
        found = []
        for item in items:
            if isinstance(item, llm.FunctionCall):
                output = outputs.get(item.call_id)
                answer = (output.output, output.is_error) if output is not None else (None, False)
                found.append(ToolCall(item.name, json.loads(item.arguments or "{}"), *answer))
        return found

    @property
    def messages(self) -> list[llm.ChatMessage]:
        return self.session.history.messages()

    @property
    def timeline(self) -> Timeline:
        """The session's own record of everything; see `antiphon.pipeline.timeline`."""
        return self.session.timeline

    @property
    def errors(self) -> list[Exception]:
        """What failed in nodes, hooks and models, as the session reported it."""
        found = []
        for event in self.reported("error"):
            error = getattr(event.error, "error", event.error)
            found.append(error)
        return found

    @property
    def sound(self) -> list[int]:
        """Every sample of a sound that was heard, in order; silence is left out."""
        return [value for value, count in self.runs() for _ in range(count)]

    def runs(self, begin: float = -math.inf, end: float = math.inf) -> list[tuple[int, int]]:
        """The same of what was begun before `end` and not over at `begin` (seconds of the call), as
        values, each with how often it comes in a row."""
        parts = [pcm for at, pcm in self.played if self.last(at, pcm) > begin and at < end]
        samples = np.concatenate(parts) if parts else np.zeros(0, np.int16)
        samples = samples[samples != 0]
        begins = np.flatnonzero(np.diff(samples, prepend=0))  # no sample is 0
        lengths = np.diff(begins, append=len(samples))
        return list(zip(samples[begins].tolist(), lengths.tolist(), strict=True))

    def last(self, at: float, pcm: Samples) -> float:
        """Until when these samples sound that began `at` that second (but for a microsecond). By
        this a sound is told from the one before: on an ordinary loop a reply is known to be audible
        some microseconds after its first sample began."""
        return at + (len(pcm) - 0.001) / self.rate

    def records(self, *kinds: str) -> list[Record]:
        """The records of the timeline of these kinds."""
        return [record for record in self.timeline.records if record.kind in kinds]

    def reported(self, name: EventTypes) -> list[Any]:
        """The session's events of this name."""
        return [event for _, kind, event in self.events if kind == name]

    def __str__(self) -> str:
        return "\n".join(map(str, self.lines)) or "(nothing was said)"

    # While it goes on.

    def watch(self) -> None:
        """Note what the session reports and logs from now on."""
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self._logged)
        for name in get_args(EventTypes):
            self.session.on(name, self._noting(name))

    def unwatch(self) -> None:
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(self._logged)

    def note(self, record: Record) -> None:
        """Read one record of the timeline."""
        self._transcript.note(record)

    def note_sound(self, began: float, pcm: memoryview) -> None:
        """These samples were played, from loop time `began` on."""
        self.played.append((began - self.start, np.array(pcm, np.int16)))

    def _noting(self, name: EventTypes) -> Callable[[Any], None]:
        def note(event: Any) -> None:
            now = asyncio.get_running_loop().time() - self.start
            self.events.append((now, name, event))
            if name == "agent_state_changed":
                self.states.append(State("agent", event.new_state, round(now, 6)))
            elif name == "user_state_changed":
                began = self.session.conversation.memory.wall(self.start)
                since = event.created_at - began  # a voice is noticed some frames after it began
                self.states.append(State("user", event.new_state, round(since, 6)))

        return note


class _Errors(logging.Handler):
    def __init__(self, found: list[logging.LogRecord]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] == "antiphon" or record.name in LOGGERS:
            self._found.append(record)
