"""A turn machine with a clock, a shell that grants and takes the floor, and a memory for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from antiphon.pipeline import observations as o
from antiphon.pipeline.turn_table import FLOOR, USER, Cue, Floor, Rules, User
from antiphon.pipeline.turns import Turns

if TYPE_CHECKING:
    from antiphon.pipeline.observations import Decision, Kind, Observation

Row = tuple[Floor | User, Cue]

TAKEN: Final[set[Row]] = set()  # the rows of the tables that any machine of this process has taken


class Noting(Turns):
    """The machine, noting the rows it takes."""

    def _move(self, cue: Cue) -> None:
        if (self.user, cue) in USER:
            TAKEN.add((self.user, cue))
        super()._move(cue)

    def _act(self, cue: Cue, out: list[Decision], why: str = "") -> None:
        if (self.floor, cue) in FLOOR:
            TAKEN.add((self.floor, cue))
        super()._act(cue, out, why)


class Call:
    """A conversation: observations at times, ticks where the machine asks for them.

    `said` has every decision with its time; a decision that only reports a state is left out,
    and found in `states`.
    """

    def __init__(self, rules: Rules | None = None, *, reply: Kind | None = None) -> None:
        self.machine = Noting(rules)
        self.now = 0.0
        self.said: list[tuple[float, Decision]] = []
        self.states: list[tuple[float, str]] = []
        self.gens = 0
        if reply is not None:
            self.grant(reply)

    def at(self, time: float, *seen: Observation) -> Call:
        """Let the time pass until `time`, then observe."""
        while (deadline := self.machine.deadline) is not None and deadline <= time:
            assert deadline > self.now, "a deadline must lie ahead"
            self.now = deadline
            self._tell(o.Tick(deadline))
        self.now = time
        for one in seen:
            self._tell(one)
        return self

    def grant(self, kind: Kind, *, audible: bool = False) -> int:
        """Give the floor to a new reply, now."""
        self.gens += 1
        self._tell(o.Granted(self.gens, kind))
        if audible:
            self._tell(o.Audible(self.gens))
        return self.gens

    def voice(self, start: float, stop: float, *, answers: bool = False) -> Call:
        """The user's voice, noticed without delay."""
        return self.at(start, o.VoiceStarted(start, answers)).at(stop, o.VoiceStopped(stop))

    def words(self, time: float, text: str, *, final: bool = True, answers: bool = False) -> Call:
        return self.at(time, o.Transcript(text, final, "en", answers))

    def since(self, time: float) -> list[Decision]:
        """What was decided at or after `time`."""
        return [decision for at, decision in self.said if at >= time]

    @property
    def decisions(self) -> list[Decision]:
        return [decision for _, decision in self.said]

    def of(self, *kinds: type) -> list[tuple[float, Decision]]:
        """When which decision of these kinds was made."""
        return [(at, decision) for at, decision in self.said if isinstance(decision, kinds)]

    def _tell(self, seen: Observation) -> None:
        for decision in self.machine.observe(seen, self.now):
            if isinstance(decision, o.UserIs | o.AgentIs):
                self.states.append((self.now, decision.state))
            elif not isinstance(decision, o.Flush):
                self.said.append((self.now, decision))
        deadline = self.machine.deadline
        assert deadline is None or deadline > self.now, "a deadline must lie ahead"
