"""Ten thousand random sequences of observations, and what must hold in each of them.

The shell is modelled: a queue of replies, each granted when the floor is free, leaving by itself
or when it is cut. Words are numbered, so that each can be found again. `ANTIPHON_FUZZ` asks for
another number of sequences.
"""

import os
import random
from typing import Final

import pytest

from antiphon.pipeline import observations as o
from antiphon.pipeline.observations import Kind
from antiphon.pipeline.turn_table import HELD, Rules, User
from antiphon.pipeline.turns import Turns

SEQUENCES: Final = int(os.environ.get("ANTIPHON_FUZZ", "10000"))
BATCHES: Final = 10
HUMS: Final = ("mm-hmm", "yes", "okay")


class Shell:
    """What surrounds the machine. Every decision is checked when it is made."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        flip = self.dice.random
        self.machine = Turns(
            Rules(
                manual=flip() < 0.15,
                min_words=self.dice.choice((0, 0, 2)),
                false_interruption=self.dice.choice((1.0, 1.0, 0.25, 5.0, None)),
                min_delay=self.dice.choice((0.5, 0.0)),
                min_duration=self.dice.choice((0.2, 0.0, 1.0)),
            )
        )
        self.now = self.dice.choice((0.0, 1000.3))
        self.line: list[tuple[int, Kind]] = []
        self.gens = 0
        self.holder: int | None = None
        self.held = False
        self.heard = False
        self.draft: str | None = None
        self.drafts = 0
        self.cleared: set[str] = set()
        self.finals: list[str] = []  # every word that was final, in order
        self.handed: list[str] = []  # every word that was handed on, in order
        self.pending: list[str] = []  # interim words whose final has not come
        self.words = 0
        self.stopped = 0.0  # when the voice did
        self.user_state, self.agent_state = "listening", "listening"

    # Observations.

    def tell(self, *seen: o.Observation) -> None:
        inbox = list(seen)
        while inbox:
            for decision in self.machine.observe(inbox.pop(0), self.now):
                self.carry_out(decision, inbox)
            deadline = self.machine.deadline
            assert deadline is None or deadline > self.now
            assert self.machine.gen == self.holder or inbox
            if self.holder is None and self.line and not inbox:
                inbox.append(self.grant())

    def grant(self) -> o.Granted:
        self.holder, kind = self.line.pop(0)
        self.held = self.heard = False
        return o.Granted(self.holder, kind)

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (deadline := self.machine.deadline) is not None and deadline <= until:
            self.now = deadline
            self.tell(o.Tick(deadline))
        self.now = until

    def step(self) -> None:
        self.wait(self.dice.choice((0.0, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0)))
        match self.dice.randrange(13):
            case 0 | 1:
                self.begin()
                self.tell(o.VoiceStarted(self.now - self.dice.choice((0, 0.06)), self.odds(0.2)))
            case 2 | 3:
                stopped = o.VoiceStopped(self.now - self.dice.choice((0, 0.3)))
                if self.machine.user is User.VOICED:
                    self.stopped = stopped.at
                self.tell(stopped)
            case 4 | 5:
                self.speak(final=False)
            case 6 | 7:
                self.speak(final=True)
            case 8:
                self.gens += 1
                self.line.append((self.gens, self.dice.choice(list(Kind))))
                self.tell(o.Score(self.dice.random()))
            case 9 if self.holder is not None and not self.held:
                self.heard = True
                self.tell(o.Audible(self.holder))
            case 10 if self.holder is not None and not self.held:
                gone, self.holder = self.holder, None
                self.tell(o.Gone(gone))
            case 11:
                self.tell(o.Protect(self.holder or 0, self.odds(0.5)))
            case _:
                self.application()

    def application(self) -> None:
        match self.dice.randrange(4):
            case 0:
                self.tell(o.Interrupt(self.odds(0.5)))
            case 1 | 2:
                self.tell(o.CommitNow(self.dice.choice((0.0, 0.5, 5.0)), self.odds(0.8)))
            case 3:
                self.cleared |= set(self.machine.text.split())
                self.drafts = 0
                self.tell(o.Clear())

    def speak(self, *, final: bool) -> None:
        for _ in range(self.dice.randrange(3)):
            self.words += 1
            self.pending.append(f"{self.words}w" if self.odds(0.7) else f"{self.hum()}")
        text = " ".join(self.pending)
        if final:
            self.finals += self.pending
            self.pending = []
        self.tell(o.Transcript(text, final, None, self.odds(0.2)))

    def begin(self) -> None:
        """A voice after a long silence is a new utterance, and the one before has no final."""
        late = self.now > self.stopped + self.machine.rules.transcript_timeout
        if late and not {*self.pending} - {*HUMS} & {*self.machine.text.split()}:
            self.pending = []

    def hum(self) -> str:
        return self.dice.choice(HUMS)

    def odds(self, chance: float) -> bool:
        return self.dice.random() < chance

    # Decisions.

    def carry_out(self, decision: o.Decision, inbox: list[o.Observation]) -> None:
        match decision:
            case o.Pause(gen):
                assert gen == self.holder and not self.held
                self.held = True
            case o.Resume(gen):
                assert gen == self.holder and self.held
                self.held = False
            case o.Cut(gen):
                assert gen == self.holder
                self.holder, self.held = None, False
                inbox.append(o.Gone(gen))
            case o.Draft(text):
                assert self.draft is None and text
                self.draft, self.drafts = text, self.drafts + 1
                assert self.drafts <= self.machine.rules.drafts
            case o.Drop():
                assert self.draft is not None
                self.draft = None
            case o.Commit(text) | o.Keep(text):
                assert text
                self.handed += text.split()
                self.drafts = 0
                if isinstance(decision, o.Commit):
                    self.commit(decision)
            case o.UserIs(state):
                assert state != self.user_state
                self.user_state = state
            case o.AgentIs(state):
                assert state != self.agent_state
                self.agent_state = state

    def commit(self, decision: o.Commit) -> None:
        assert decision.drafted == (self.draft is not None)
        assert self.draft in (None, decision.text)
        self.draft = None
        if decision.answer:
            self.gens += 1
            self.line.append((self.gens, Kind.ANSWER))

    # What must hold in the end.

    def silence(self) -> None:
        """The user says nothing more, and the detector knows it."""
        self.tell(o.VoiceStopped(self.now))
        self.wait(60.0)
        machine = self.machine
        assert machine.user is User.QUIET
        assert machine.floor not in HELD
        assert self.held is False
        assert machine.deadline is None
        assert machine.rules.manual or not machine.text

    def close(self) -> None:
        self.tell(o.Closed())
        assert not self.machine.text
        assert self.draft is None
        counted = [word for word in self.handed if word not in HUMS]
        wanted = [word for word in self.finals if word not in HUMS]
        lost = set(wanted) - set(counted) - self.cleared
        assert not lost
        assert sorted(counted, key=lambda word: int(word[:-1])) == counted
        assert len(set(counted)) == len(counted)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_sequence_of_observations_loses_words_or_wedges_a_reply(batch: int) -> None:
    for seed in range(batch * SEQUENCES // BATCHES, (batch + 1) * SEQUENCES // BATCHES):
        shell = Shell(seed)
        try:
            for _ in range(shell.dice.choice((5, 20, 40))):
                shell.step()
            if shell.odds(0.7):
                shell.silence()
            shell.close()
        except AssertionError as error:
            error.add_note(f"in the sequence of seed {seed}, at {shell.now}")
            raise
