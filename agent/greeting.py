"""How a call was answered, as far as it has been heard: times in, a verdict out, no clock.

A short greeting and then silence is a human, whatever was said. Longer ones are for a model to
judge by their words; a machine is only sure once it has finished, since nobody may speak over it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from livekit.agents.voice.amd import AMDCategory

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Limits:
    """All in seconds. `finish`: once something was heard, wait for its end, however late."""

    human_speech: float
    human_silence: float
    machine_silence: float
    no_speech: float
    timeout: float
    max_endpointing: float
    finish: bool = True


@dataclass(slots=True)
class Greeting:
    """Mutable state: what was heard since `began`, and what a model makes of it."""

    limits: Limits
    began: float
    text: str = ""
    judged: AMDCategory | None = None
    first: float | None = None  # when somebody began to speak
    quiet_since: float | None = None
    voiced: bool = False
    turn_over: bool = False
    not_before: float = field(default=0.0)  # a model wants to hear more until then

    def voice_began(self, at: float) -> None:
        self.first = at if self.first is None else self.first
        self.voiced, self.turn_over = True, False

    def voice_ended(self, at: float) -> None:
        if self.first is not None:
            self.voiced, self.quiet_since = False, at

    def words(self, text: str, at: float) -> None:
        self.text = f"{self.text} {text}".strip()
        self.turn_over = False
        if self.first is None:  # nobody tells of voices here
            self.quiet_since = at

    @property
    def seconds(self) -> float:
        """Of speech, from the first of it to the last."""
        if self.first is None or self.quiet_since is None:
            return 0.0
        return max(0.0, self.quiet_since - self.first)

    def verdict(self, now: float) -> tuple[AMDCategory, str] | None:
        """Who answered, and how that is known; None while it is not."""
        limits, unsure = self.limits, AMDCategory.UNCERTAIN
        late = now >= self.began + limits.timeout
        if self.first is None and not self.text:
            if now >= self.began + limits.no_speech:
                return unsure, "no_speech_timeout"
            return (unsure, "detection_timeout") if late else None
        if late and not limits.finish:
            return (self.judged, "llm") if self.judged else (unsure, "detection_timeout")
        if self.voiced or self.quiet_since is None:
            return None
        quiet = now - self.quiet_since
        short = self.seconds <= limits.human_speech
        if short and not self.text and quiet >= limits.human_silence:
            return AMDCategory.HUMAN, "short_greeting"
        if quiet < limits.machine_silence or now < self.not_before:
            return None
        over = self.turn_over or quiet >= limits.max_endpointing
        if self.judged and (over or self.judged is AMDCategory.HUMAN):
            return self.judged, "llm"
        return (unsure, "detection_timeout") if late and over else None

    def deadline(self, now: float) -> float | None:
        """When to ask for the verdict again, if nothing is heard until then."""
        return min((at for at in self._moments() if at > now), default=None)

    def _moments(self) -> Iterator[float]:
        limits = self.limits
        yield self.began + limits.timeout
        yield self.began + limits.no_speech
        yield self.not_before
        if self.quiet_since is not None:
            for wait in (limits.human_silence, limits.machine_silence, limits.max_endpointing):
                yield self.quiet_since + wait
