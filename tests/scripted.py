"""A whole conversation on the virtual clock: a scripted caller, a scripted agent, what was heard.

One sample is one millisecond, and the value of a sample is the number of the word it belongs to
(1 for the first word the voice ever made), so what was heard is counted from the samples that the
speaker really played and owes nothing to the ledger. Words of the agent and of the caller are all
different, so that one that is lost, doubled or out of place shows.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit.agents import llm

from antiphon import Agent, AgentSession, SpeechHandle
from antiphon.nodes.outputs import Paced
from antiphon.pipeline import clock
from tests.scripted_agent import LETTER, RATE, Plain, Voice, sentence, stories, word
from tests.scripted_caller import FINAL, NOTICED, SILENT, Caller, Cue, Detector, at, cough, user

if TYPE_CHECKING:
    from antiphon.events import EventTypes
    from antiphon.pipeline.timeline import Record

__all__ = [
    "FINAL",
    "LETTER",
    "NOTICED",
    "RATE",
    "SILENT",
    "Call",
    "Caller",
    "Cue",
    "Detector",
    "Making",
    "Plain",
    "Voice",
    "at",
    "check",
    "check_sound",
    "cough",
    "hold",
    "plain",
    "sentence",
    "stories",
    "user",
    "word",
]

EVENTS: tuple[EventTypes, ...] = (
    *("user_state_changed", "agent_state_changed", "user_input_transcribed"),
    *("conversation_item_added", "agent_false_interruption", "speech_created", "error", "close"),
)


@dataclass
class Call:
    """A conversation: while it runs for its cues, and afterwards for the test."""

    caller: Caller = field(default_factory=Caller)
    voice: Voice = field(default_factory=Voice)
    played: list[tuple[float, np.ndarray[Any, np.dtype[np.int16]]]] = field(default_factory=list)
    events: list[tuple[float, EventTypes, Any]] = field(default_factory=list)
    handles: list[SpeechHandle] = field(default_factory=list)
    errors: list[logging.LogRecord] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    ended: float = 0.0

    def set_up(self, agent: Agent, options: dict[str, Any]) -> None:
        options = {"vad": Detector(self.caller), "user_away_timeout": None, **options}
        self.agent = agent
        self.session: AgentSession[Any] = AgentSession(**options)
        self.session.output.audio = self.speaker = Paced(rate=RATE, on_played=self._heard)
        for name in EVENTS:
            self.session.on(name, self._noting(name))

    def _heard(self, began: float, pcm: memoryview) -> None:
        self.played.append((began, np.array(pcm, np.int16)))

    def _noting(self, name: EventTypes) -> Callable[[object], None]:
        def note(event: object) -> None:
            self.events.append((asyncio.get_running_loop().time(), name, event))

        return note

    def say(self, text: str | AsyncIterable[str], **options: Any) -> SpeechHandle:
        self.handles.append(self.session.say(text, **options))
        return self.handles[-1]

    # What came of it.

    @property
    def sound(self) -> list[int]:
        """Every sample of a word that was heard, in order; 0 is silence."""
        return [int(value) for _, pcm in self.played for value in pcm if value]

    @property
    def heard(self) -> list[str]:
        """The words of which the last sample was played, in the order of their sounds."""
        whole = [
            n
            for n, group in itertools.groupby(self.sound)
            if sum(1 for _ in group) == self.voice.lengths[n - 1]
        ]
        return [self.voice.made[n - 1] for n in whole]

    @property
    def messages(self) -> list[llm.ChatMessage]:
        return [item for item in self.session.history.items if isinstance(item, llm.ChatMessage)]

    def text(self, role: str) -> list[str]:
        """All words of one side, as history has them."""
        texts = [m.text_content or "" for m in self.messages if m.role == role]
        return " ".join(texts).split()

    def records(self, *kinds: str) -> list[Record]:
        return [r for r in self.session.timeline.records if r.kind in kinds]

    def reported(self, name: EventTypes) -> list[Any]:
        return [event for _, kind, event in self.events if kind == name]


Making = Callable[[Call], Agent]


def plain(call: Call) -> Agent:
    return Plain(call.caller, call.voice)


def hold(
    *cues: list[Cue],
    agent: Making = plain,
    until: float | None = None,
    call: Call | None = None,
    after: Callable[[], object] | None = None,
    **options: Any,
) -> Call:
    """Hold a conversation: carry out the cues, close the session at `until` seconds.

    Raises for a task or generator that is left behind; `after` is called a second after the close,
    and may let go of some. Without `until`, the session closes when nothing has been going on since
    the last cue.
    """
    held = call or Call()
    log = _Errors(held.errors)
    logging.getLogger("antiphon").addHandler(log)
    try:
        talk = _hold(held, list(itertools.chain(*cues)), agent, until, options)
        clock.run(_and_then(talk, after), strict=True)
    finally:
        logging.getLogger("antiphon").removeHandler(log)
    return held


async def _hold(
    call: Call, cues: list[Cue], agent: Making, until: float | None, options: dict[str, Any]
) -> None:
    loop = asyncio.get_running_loop()
    call.set_up(agent(call), options)
    await call.session.start(call.agent)
    for cue in cues:
        if until is None or cue.at < until:
            loop.call_at(cue.at, cue.do, call)
    last = max((cue.at for cue in cues), default=0.0)
    await asyncio.sleep(until if until is not None else last + 0.01)
    if until is None:
        await quiet(call)
    call.strays = call.session.conversation.strays.names
    await call.session.aclose()
    call.speaker.held()
    call.ended = loop.time()


async def _and_then(talk: Awaitable[None], after: Callable[[], object] | None) -> None:
    await talk
    if after is not None:
        await asyncio.sleep(1.0)
        after()
        await asyncio.sleep(1.0)


async def quiet(call: Call) -> None:
    """Wait until the user's turn is over and everything that it asked for has been said."""
    talk = call.session.conversation
    while True:
        await call.session.drain()
        if not (talk.machine.unfinished or talk.speaking.unfinished() or talk.answers.busy):
            return
        await asyncio.sleep(0.05)


class _Errors(logging.Handler):
    def __init__(self, found: list[logging.LogRecord]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        self._found.append(record)


# The invariants.


def check(call: Call, *, errors: int = 0) -> None:
    """What holds of every conversation, whatever happened in it."""
    assert call.text("assistant") == call.heard  # history is what was heard, to the word
    assert call.text("user") == call.caller.words  # no word of the user is lost, none is doubled
    check_sound(call)
    assert not call.errors, [record.getMessage() for record in call.errors]
    assert len(call.reported("error")) == errors, call.reported("error")
    assert all(handle.done() for handle in call.handles)
    assert not call.strays
    assert len(call.reported("close")) == 1


def check_sound(call: Call) -> None:
    """Nothing is heard out of order or twice, or after its reply was cut."""
    runs = [(n, sum(1 for _ in group)) for n, group in itertools.groupby(call.sound)]
    assert len({n for n, _ in runs}) == len(runs)
    assert all(count <= call.voice.lengths[n - 1] for n, count in runs)
    for (before, _), (n, _) in itertools.pairwise(runs):
        assert n == before + 1 or n in call.voice.starts
    cuts = [record.t for record in call.records("cut")]
    resumed = [record.t for record in call.records("audible")]
    for cut in cuts:
        after = [began for began, pcm in call.played if began + (len(pcm) - 0.001) / RATE > cut]
        following = min((t for t in resumed if t >= cut), default=float("inf"))
        assert all(began >= following for began in after), (cut, after)
