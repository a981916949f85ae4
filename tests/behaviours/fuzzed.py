"""Random conversations with tools, handoffs and tasks: what may happen in one, and its invariants.

A conversation is a number and a list of moves drawn from it. What the model and the tools do hangs
on the number and on how often they were asked, so that leaving moves out changes little else: that
is what lets a failure be shortened.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import llm

from antiphon import (
    Agent,
    AgentTask,
    CloseReason,
    RunContext,
    StopResponse,
    ToolError,
    function_tool,
)
from tests.scripted import Act, Call, Plain, Voice, at, check_sound, cough, hold, sentence, user
from tests.scripted_tools import calls

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from antiphon import ModelSettings

LENGTH: Final = 14.0  # seconds in which moves are made
PROBE: Final = "zzprobe"  # said at the end, and always understood
ACKNOWLEDGEMENTS: Final = ("mm-hmm", "yeah", "okay", "right")

SPEECHES: Final = ("say", "protected", "generate")
CONTROLS: Final = ("interrupt", "commit", "clear", "hand over", "protect", "release")
TOOLS: Final = (
    *("quick", "slow", "pure", "final", "refuses", "fails", "stops", "unknown", "garbled"),
    *("talks", "asks", "hands_over", "hands_over_and_tells", "updates_agent", "waits_for_itself"),
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
    """One conversation. Mutable state: the call, and how often the model was asked."""

    def __init__(self, number: int, moves: list[Move]) -> None:
        self.number = number
        self.moves = moves
        self.dice = random.Random(-number)
        self.call = Call(voice=Voice(first=self.dice.choice([0.01, 0.1, 0.4])))
        self.badness = self.dice.choice([0.0, 0.0, 0.1, 0.3])
        self.asked = 0

    def hold(self) -> None:
        """Hold it, and check what holds of every conversation."""
        closes = [move.at for move in self.moves if move.what == "close"]
        until = closes[0] if closes else None
        cues = [cue for move in self.moves if move.what != "close" for cue in self.cues(move)]
        probe = user(150.0, 150.5, PROBE) if until is None else []
        hold(cues, probe, agent=lambda _: Worker(self), call=self.call, until=until)
        self.check(probed=until is None)

    def cues(self, move: Move) -> list[Act]:
        if move.what == "speak":
            end = move.at + move.lasts
            if not move.text:
                return cough(move.at, move.lasts)
            return user(move.at, end, move.text, final=move.final)
        return at(move.at, lambda call: self.apply(move, call))

    def apply(self, move: Move, call: Call) -> None:
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
                session.update_agent(Worker(self))
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
        for agent in Worker.made_by(self):
            self._check_calls(agent.chat_ctx.items)
        assert all(handle.done() for handle in call.handles), "every speech ends"
        assert not call.strays
        assert len(call.reported("close")) == 1
        states = {event.new_state for event in call.reported("agent_state_changed")}
        assert states <= {"listening", "thinking", "speaking"}

    def _check_words(self, *, probed: bool) -> None:
        said, kept = self.call.caller.words, self.call.text("user")
        ended = any(event.reason is CloseReason.ERROR for event in self.call.reported("close"))
        cleared = any(move.what == "clear" for move in self.moves)
        if not (cleared or ended):
            assert kept == said, "every word of the user, once"
        ours = [word for word in kept if word[0] == "z"]
        assert [word for word in said if word in kept and word[0] == "z"] == ours
        if probed and not ended:
            assert PROBE in kept, "the session still listens at the end"

    def _check_calls(self, items: list[llm.ChatItem]) -> None:
        wanted = [item.call_id for item in items if isinstance(item, llm.FunctionCall)]
        answered = [item.call_id for item in items if isinstance(item, llm.FunctionCallOutput)]
        assert Counter(wanted) == Counter(answered), "every call is answered"
        assert len(set(wanted)) == len(wanted), "exactly once"
        for call_id in wanted:
            order = [item.type for item in items if getattr(item, "call_id", None) == call_id]
            assert order == ["function_call", "function_call_output"]


def _wanted(name: str) -> llm.FunctionToolCall:
    if name == "garbled":
        return llm.FunctionToolCall(name="quick", arguments="{{{", call_id=calls(name).call_id)
    return calls(name)


class Worker(Plain):
    """The agent: its model and its tools do what the number says."""

    _made: dict[int, list[Worker]] = {}  # by the conversation

    def __init__(self, run: Fuzzed) -> None:
        super().__init__(run.call.caller, run.call.voice, ())
        self.run = run
        self._made.setdefault(id(run), []).append(self)

    @classmethod
    def made_by(cls, run: Fuzzed) -> list[Worker]:
        return cls._made.pop(id(run), [])

    async def on_enter(self) -> None:
        if self.run.dice.random() < 0.3:
            self.session.say(sentence(5000 + 20 * self.run.asked, 5))

    async def llm_node(  # type: ignore[override]
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[str | llm.ChatChunk, None]:
        run = self.run
        parts, fate = run.parts(), run.dice.random()
        await asyncio.sleep(run.dice.choice([0.0, 0.05, 0.3]))
        if fate < run.badness / 2:
            raise LookupError("as the dice said")
        for part in parts:
            if isinstance(part, str):
                for token in part.split():
                    yield token + " "
                    await asyncio.sleep(0.02)
            elif model_settings.tool_choice != "none":
                delta = llm.ChoiceDelta(role="assistant", tool_calls=[part])
                yield llm.ChatChunk(id="fuzzed", delta=delta)
            if fate < run.badness:
                raise ConnectionError("the model is gone")

    @function_tool
    async def quick(self) -> str:
        """Answers at once."""
        return "quick"

    @function_tool
    async def slow(self) -> str:
        """Answers late."""
        await asyncio.sleep(self.run.dice.choice([0.3, 1.0, 4.0]))
        return "slow"

    @function_tool(effect="pure")
    async def pure(self) -> str:
        """May run on a guess."""
        await asyncio.sleep(self.run.dice.choice([0.0, 0.5]))
        return "pure"

    @function_tool(effect="irrevocable")
    async def final(self) -> str:
        """Must be announced."""
        return "final"

    @function_tool
    async def refuses(self) -> str:
        """Says no."""
        raise ToolError("no")

    @function_tool
    async def fails(self) -> object:
        """Gives what nobody can read."""
        return object() if self.run.dice.random() < 0.5 else {"a": [1, {2}]}

    @function_tool
    async def stops(self) -> None:
        """Asks for no reply."""
        raise StopResponse

    @function_tool
    async def talks(self, context: RunContext[Any]) -> str:
        """Says something, and may wait for it."""
        speech = context.session.say(sentence(7000 + 20 * self.run.asked, 4))
        if self.run.dice.random() < 0.5:
            await speech
        return "talked"

    @function_tool
    async def asks(self) -> str:
        """Has a task ask the user."""
        return await Asking(self.run)

    @function_tool
    async def hands_over(self) -> Agent:
        """Hands over."""
        return Worker(self.run)

    @function_tool
    async def hands_over_and_tells(self) -> tuple[Agent, str]:
        """Hands over, with a result."""
        return Worker(self.run), "handed over"

    @function_tool
    async def updates_agent(self, context: RunContext[Any]) -> str:
        """Asks the session to hand over."""
        context.session.update_agent(Worker(self.run))
        return "soon"

    @function_tool
    async def waits_for_itself(self, context: RunContext[Any]) -> str:
        """Waits for what was said before it; and is refused what would never end."""
        await context.wait_for_playout()
        try:
            await context.speech_handle
        except Exception as error:
            raise ToolError(type(error).__name__) from None
        return "never"


class Asking(AgentTask[str]):
    """Asks, and takes the next turn for the answer, or gives up."""

    def __init__(self, run: Fuzzed) -> None:
        super().__init__(instructions="Ask.")
        self.run = run
        self.caller, self.voice = run.call.caller, run.call.voice

    stt_node = Plain.stt_node
    tts_node = Plain.tts_node

    async def on_enter(self) -> None:
        speech = self.session.say(sentence(6000 + 20 * self.run.asked, 4))
        if self.run.dice.random() < 0.3:
            await speech
            self.complete(ToolError("nobody answers"))

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        if not self.done():
            self.complete(new_message.text_content or "")
        raise StopResponse


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
