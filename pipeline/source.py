"""What a reply is made of, and what it asks of its session: the two seams of the reply engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal, Protocol

from antiphon.pipeline.calls import Call

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from antiphon.pipeline.aligned import Timed
    from antiphon.pipeline.calls import Work
    from antiphon.pipeline.floor import Line
    from antiphon.pipeline.ledger import Sound
    from antiphon.pipeline.left_behind import Strays
    from antiphon.pipeline.observations import Observation
    from antiphon.pipeline.pace import Pace
    from antiphon.pipeline.playout import Output
    from antiphon.pipeline.reply import Reply
    from antiphon.pipeline.step import Step


class Flush(Enum):
    """What a model yields to end a segment: the voice starts anew after it."""

    SEGMENT = "segment"


Text = str | Flush
Thought = Text | Call


class VoiceDisabled(Exception):
    """Raised by `Source.speak` when the reply is to be text only."""


class Chunker(Protocol):
    """Cuts streaming text for speaking; see `sentences.Sentences`."""

    def push(self, text: str, now: float) -> None: ...

    def flush(self) -> None: ...

    def take(self, now: float, slack: float) -> str | None: ...

    def wait(self, now: float, slack: float) -> float | None: ...


class Source(Protocol):
    """A producer: where the text and the sound of one reply come from.

    Everything here but `chunker` is foreign code: it runs in leaf tasks, may raise, hang, or end
    early. `early` says that the reply may begin before it has the floor, because nothing that is
    said before it matters to it.
    """

    @property
    def early(self) -> bool: ...

    def think(self) -> AsyncIterable[Thought]: ...

    def chunker(self) -> Chunker: ...

    async def polish(self, chunk: str) -> str:
        """What of a written chunk is to be spoken."""
        ...

    def speak(self, texts: AsyncIterable[str]) -> AsyncIterable[Sound]: ...

    @property
    def voiced_by(self) -> Literal["tts", "llm"]:
        """The node that gives the sound."""

    @property
    def aligned(self) -> bool:
        """What is shown is made of the words as the voice times them, not as they are written."""

    def show(self, texts: AsyncIterable[str | Timed]) -> AsyncIterable[str] | None:
        """What transcripts and history show instead of `texts`; None: just those."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a node may say nothing while it is waited for, in seconds."""

    thought: float = 30.0
    sound: float = 15.0


class Stage(Protocol):
    """What a reply asks of its session. Every call is synchronous and must not raise."""

    @property
    def line(self) -> Line: ...
    @property
    def strays(self) -> Strays: ...
    @property
    def output(self) -> Output | None:
        """None: this session writes and does not speak."""

    @property
    def pace(self) -> Pace: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def draft_sound(self) -> bool:
        """A draft may have its first chunk synthesised."""

    def observe(self, seen: Observation) -> None: ...

    def mark(self, kind: str, reply: Reply, **detail: object) -> None: ...

    def remember(self, reply: Reply, step: Step) -> None:
        """Write what was heard of a step into history, once."""

    def work(self, reply: Reply, step: Step) -> Work:
        """Who runs the tools of a step."""

    def resting(self) -> None:
        """A reply has left the floor, or is back in line, because of its tools."""

    def caption(self, reply: Reply) -> None:
        """More of the reply has been heard."""

    def failed(self, reply: Reply) -> None:
        """A node of its step went wrong; told once, when what it had made has been heard."""

    def ended(self, reply: Reply) -> None: ...
