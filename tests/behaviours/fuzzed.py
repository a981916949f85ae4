"""Random conversations with tools, handoffs and tasks: what may happen in one, and its invariants.

A conversation is a number and a list of moves drawn from it. What the model and the tools do hangs
on the number and on how often they were asked, so that leaving moves out changes little else: that
is what lets a failure be shortened.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import llm

from antiphon import CloseReason
from antiphon.simulate import Calls
from tests.behaviours.fuzzed_agents import Beside, Spoken, Worker
from tests.scripted import Act, Call, Voice, at, check_sound, cough, hold, sentence, user
from tests.scripted_realtime import ScriptedRealtime
from tests.scripted_tools import calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from antiphon import Agent

LENGTH: Final = 14.0  # seconds in which moves are made
PROBE: Final = "zzprobe"  # said at the end, and always understood
ACKNOWLEDGEMENTS: Final = ("mm-hmm", "yeah", "okay", "right")

SPEECHES: Final = ("say", "protected", "generate")
CONTROLS: Final = ("interrupt", "commit", "clear", "hand over", "protect", "release")
TOOLS: Final = (
    *("quick", "slow", "pure", "final", "refuses", "fails", "stops", "unknown", "garbled"),
    *("talks", "asks", "hands_over", "hands_over_and_tells", "updates_agent", "waits_for_itself"),
    *("reports", "fills", "comes_forward", "can_be_cancelled", "only_once", "only_the_latest"),
)


@dataclass(frozen=True)
class Move:
    """What the caller or the application does, at a moment."""

    at: float
    what: str
    text: str = ""
    lasts: float = 0.5
    final: float = 0.25


def draw(number: int) -> list[Move]:
    """The moves of a conversation, in the order of their times."""
    dice = random.Random(number)
    moves = [*_of_the_caller(dice), *_of_the_application(dice)]
    if dice.random() < 0.3:
        moves.append(Move(dice.uniform(0.0, LENGTH), "close"))
    return sorted(moves, key=lambda move: move.at)


def _of_the_caller(dice: random.Random) -> list[Move]:
    moves, now, said = [], dice.uniform(0.0, 1.0), 0
    while now < LENGTH - 3.0:
        lasts, final = dice.uniform(0.1, 1.2), dice.choice([0.08, 0.25, 0.25, 0.7])
        fate, text = dice.random(), ""
        if fate < 0.2:
            text = dice.choice(ACKNOWLEDGEMENTS)
        elif fate > 0.3:
            count = dice.randint(1, 4)
            text, said = " ".join(_word(said + n) for n in range(count)), said + count
        moves.append(Move(round(now, 2), "speak", text, round(lasts, 2), final))
        now += lasts + max(final, 0.2) + dice.choice([0.0, 0.1, 0.4, 1.0, 2.5])
    return moves


def _of_the_application(dice: random.Random) -> list[Move]:
    kinds = (*SPEECHES, *CONTROLS)
    times = [round(dice.uniform(0.0, LENGTH), 2) for _ in range(dice.randint(0, 6))]
    return [Move(t, dice.choice(kinds), sentence(dice.randrange(9000, 200000), 8)) for t in times]


def _word(n: int) -> str:
    letters = ("aeiou"[n % 5], "bdfgk"[n // 5 % 5], "aeiou"[n // 25 % 5], "mnprt"[n // 125 % 5])
    return "z" + "".join(letters)


class Fuzzed:
    """One conversation. Mutable state: the call, the agents and realtime models that were made, and
    how often a model was asked."""

    def __init__(self, number: int, moves: list[Move], producer: str = "pipeline") -> None:
        self.number = number
        self.producer = producer
        self.moves = moves
        self.dice = random.Random(-number)
        self.call = Call(voice=Voice(first=self.dice.choice([0.01, 0.1, 0.4])))
        self.badness = self.dice.choice([0.0, 0.0, 0.1, 0.3])
        self.asked = 0
        self.made: list[Agent] = []
        self.models: dict[int, ScriptedRealtime] = {}

    def agent(self) -> Agent:
        """One more, with nodes of its own or a realtime model: one of its, or another's too."""
        kind = self.dice.randrange(4) if self.producer == "realtime" else 0
        if kind and (kind not in self.models or self.dice.random() < 0.5):
            self.models[kind] = self.model(kind)
        spoken = Beside if kind == 3 else Spoken
        self.made.append(spoken(self, self.models[kind]) if kind else Worker(self))
        return self.made[-1]

    def model(self, kind: int) -> ScriptedRealtime:
        can: dict[str, Any] = {"turn_detection": kind == 1, "user_transcription": kind != 3}
        for name in ("auto_tool_reply_generation", "per_response_tool_choice", "mutable_tools"):
            can[name] = self.dice.random() < 0.5
        model = ScriptedRealtime(self.answers(), self.call.voice, **can)
        refusal = llm.RealtimeError("as the dice said")
        model.refuses = lambda: refusal if self.dice.random() < self.badness / 2 else None
        return model

    def answers(self) -> Iterator[Calls]:
        while True:
            said = Calls("")
            for part in self.parts():
                said = Calls(part) if isinstance(part, str) else said.and_calls(part.name)
            yield said

    def hold(self) -> None:
        """Hold it, and check what holds of every conversation."""
        closes = [move.at for move in self.moves if move.what == "close"]
        until = closes[0] if closes else None
        cues = [cue for move in self.moves if move.what != "close" for cue in self.cues(move)]
        probe = user(150.0, 150.5, PROBE) if until is None else []
        hold(cues, probe, agent=lambda _: self.agent(), call=self.call, until=until)
        self.check(probed=until is None)

    def cues(self, move: Move) -> list[Act]:
        if move.what == "speak":
            end = move.at + move.lasts
            if not move.text:
                return cough(move.at, move.lasts)
            return user(move.at, end, move.text, final=move.final)
        return at(move.at, lambda call: self.apply(move, call))

    def apply(self, move: Move, call: Call) -> None:
        if call.reported("close"):
            return  # a model that kept failing has ended it
        session, speech = call.session, call.session.current_speech
        match move.what:
            case "say" | "protected":
                call.say(move.text, allow_interruptions=move.what == "say")
            case "generate":
                call.handles.append(session.generate_reply())
            case "interrupt":
                session.interrupt(force=True)
            case "commit":
                session.commit_user_turn(transcript_timeout=0.3)
            case "clear":
                session.clear_user_turn()
            case "hand over":
                session.update_agent(self.agent())
            case "protect" | "release":
                if speech is not None and not speech.interrupted:
                    speech.allow_interruptions = move.what == "release"

    def parts(self) -> list[Any]:
        """What the model says and calls, when it is asked once more."""
        self.asked += 1
        dice = random.Random(f"{self.number}/{self.asked}")
        text = sentence(self.asked * 40, dice.randint(2, 12))
        fate = dice.random()
        if fate < 0.5:
            return [text]
        wanted = [_wanted(dice.choice(TOOLS)) for _ in range(dice.choice([1, 1, 1, 2, 3]))]
        return [text, *wanted] if fate < 0.8 else wanted

    # What holds of every conversation.

    def check(self, *, probed: bool) -> None:
        call = self.call
        assert call.text("assistant") == call.heard, "history is what was heard"
        check_sound(call)
        self._check_words(probed=probed)
        self._check_calls(call.session.history.items)
        for agent in self.made:
            self._check_calls(agent.chat_ctx.items)
        assert all(handle.done() for handle in call.handles), "every speech ends"
        assert not call.strays
        assert len(call.reported("close")) == 1
        states = {event.new_state for event in call.reported("agent_state_changed")}
        assert states <= {"listening", "thinking", "speaking"}

    def _check_words(self, *, probed: bool) -> None:
        said, kept = self.call.caller.words, self.call.text("user")
        if self.producer == "realtime":  # two of them may have heard words over which one took over
            said, kept = sorted(set(said)), sorted(set(kept))
        ended = any(event.reason is CloseReason.ERROR for event in self.call.reported("close"))
        cleared = any(move.what == "clear" for move in self.moves)
        if not (cleared or ended):
            assert kept == said, "every word of the user, once"
        ours = [word for word in kept if word[0] == "z"]
        assert [word for word in said if word in kept and word[0] == "z"] == ours
        if probed and not ended:
            assert PROBE in kept, "the session still listens at the end"

    def _check_calls(self, items: list[llm.ChatItem]) -> None:
        story: dict[str, list[str]] = {}  # of each call
        for item in items:
            if isinstance(item, llm.FunctionCall | llm.FunctionCallOutput):
                story.setdefault(item.call_id, []).append(item.type)
        answered = ["function_call", "function_call_output"]
        assert all(told == answered for told in story.values()), "every call is answered, once"


def _wanted(name: str) -> llm.FunctionToolCall:
    if name == "garbled":
        return llm.FunctionToolCall(name="quick", arguments="{{{", call_id=calls(name).call_id)
    return calls(name)


def shortest(number: int, moves: list[Move], fails: Callable[[list[Move]], bool]) -> list[Move]:
    """Leave out whatever is not needed for it to fail."""
    size = max(1, len(moves) // 2)
    while size:
        start = 0
        while start < len(moves):
            fewer = moves[:start] + moves[start + size :]
            if fails(fewer):
                moves = fewer
            else:
                start += size
        size //= 2
    return moves
