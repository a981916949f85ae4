"""A realtime model is told, and a program is shown of it, what LiveKit's session tells and shows.

What is told is compared in order, for each kind of it. The times are not: LiveKit waits for the
model to confirm what ours only sends first, and writes the user's words before their turn is over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from livekit import agents as livekit

import antiphon
from antiphon.simulate import Calls, ScriptedTTS, Voice, calls
from tests.agent.side_by_side import Case, Told, held
from tests.scripted import sentence
from tests.scripted_realtime import ScriptedRealtime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.scripted_response import Answer

WORDS: Final = [sentence(100 * n) for n in range(9)]
ASKED: Final = ((0.2, 0.8, "zaza zeze"),)
TWICE: Final = (*ASKED, (10.0, 10.6, "zizi"))
SHOWN: Final = (
    *("user ", "user:", "final", "assistant", "agent speaking"),
    *("agent_handoff", "tools", "error", "closed", "history"),
)
TOLD: Final = ("commit", "reply", "say", "truncate", "instructions", "tools", "options")


@dataclass(frozen=True)
class Spoken:
    """A case with a realtime model; `does` at that second of it. `detects`: who ends turns may be
    the model, or the session, or either."""

    said: tuple[tuple[float, float, str], ...] = ASKED
    replies: Sequence[Answer] = tuple(WORDS)
    does: tuple[float, Callable[[Any, Any], Any]] | None = None
    can: dict[str, bool] = field(default_factory=dict)
    pace: dict[str, float] = field(default_factory=dict)
    voice: bool = False
    detects: tuple[bool, ...] = (True, False)


def clerk(kit: Any) -> Any:
    class Task(kit.AgentTask):  # type: ignore[misc]
        async def on_enter(self) -> None:
            self.session.generate_reply(instructions="Ask.")

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def give(self, name: str) -> None:
            """Give."""
            self.complete(name)

    class Clerk(kit.Agent):  # type: ignore[misc]
        @kit.function_tool  # type: ignore[untyped-decorator]
        async def look(self) -> str:
            """Look."""
            return "here"

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def fail(self) -> None:
            """Fail."""
            raise kit.ToolError("no luck")

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def quiet(self) -> None:
            """Say nothing."""
            raise kit.StopResponse

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def ask(self) -> str:
            """Ask."""
            return f"asked {await Task(instructions='Task.')}"

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def hand_over(self) -> Any:
            """Hand over."""
            return kit.Agent(instructions="Second.")

    return Clerk(instructions="First.")


def replies(**options: Any) -> Callable[[Any, Any], Any]:
    return lambda kit, session: session.generate_reply(**options)


def twice(_: Any, session: Any) -> Any:
    session.generate_reply(instructions="One.")
    return session.generate_reply(instructions="Two.")


def changes(kit: Any, session: Any) -> Any:
    return session.current_agent.update_instructions("Changed.")


def gives_way(kit: Any, session: Any) -> None:
    session.update_agent(kit.Agent(instructions="Second."))


def says(_: Any, session: Any) -> Any:
    return session.say(WORDS[7])


CASES: Final = {
    "two turns": Spoken(TWICE),
    "a tool": Spoken(TWICE, [calls("look"), *WORDS]),
    "a tool with words": Spoken(TWICE, [Calls(WORDS[5]).and_calls("look"), *WORDS]),
    "two tools": Spoken(TWICE, [calls("look").and_calls("fail"), *WORDS]),
    "a tool without a reply": Spoken(TWICE, [calls("quiet"), *WORDS]),
    "a tool that the model answers": Spoken(
        TWICE, [calls("look"), *WORDS], can={"auto_tool_reply_generation": True}
    ),
    "a task": Spoken(TWICE, [calls("ask"), WORDS[0], calls("give", name="Bob"), *WORDS[1:]]),
    "a handover": Spoken(TWICE, [calls("hand_over"), *WORDS]),
    "a handover from outside": Spoken(TWICE, does=(2.0, gives_way)),
    "late words": Spoken(TWICE, pace={"transcribed": 3.0}),
    "no words": Spoken(TWICE, can={"user_transcription": False}),
    "two messages": Spoken(TWICE, [WORDS[:2], *WORDS[2:]]),
    "a reply": Spoken((), does=(0.5, replies(user_input="Typed.", instructions="Brief."))),
    "two replies": Spoken((), does=(0.5, twice)),
    "a choice": Spoken((), does=(0.5, replies(tool_choice="required", tools=["look"]))),
    "a choice for the session": Spoken(
        (), does=(0.5, replies(tool_choice="none")), can={"per_response_tool_choice": False}
    ),
    "a reply after the answer": Spoken(ASKED, does=(2.5, replies(instructions="Brief."))),
    "a text that the model says": Spoken((), does=(0.5, says), can={"supports_say": True}),
    "a text that a voice says": Spoken(((5.0, 5.6, "zizi"),), does=(0.5, says), voice=True),
    "other instructions": Spoken(TWICE, does=(2.0, changes)),
    "a text for a voice": Spoken(TWICE, can={"audio_output": False}, voice=True),
    "a barge-in": Spoken((*ASKED, (2.6, 3.2, "zizi")), detects=(True,)),
    "both at once": Spoken(
        (*ASKED, (2.6, 3.2, "zizi")), can={"supports_overlapping_speech": True}, detects=(True,)
    ),
}


def case_of(spoken: Spoken, detects: bool, made: list[ScriptedRealtime]) -> Case:
    def models() -> dict[str, Any]:
        can: dict[str, Any] = {"turn_detection": detects, **spoken.can}
        made.append(ScriptedRealtime(iter(spoken.replies), Voice(), **can))
        vars(made[-1].pace).update(spoken.pace)
        tts = ScriptedTTS(streaming=True) if spoken.voice else None
        return {"llm": made[-1], "stt": None, "tts": tts, **({"vad": None} if detects else {})}

    async def does(kit: Any, session: Any, told: Told) -> None:
        if spoken.does is not None:
            await asyncio.sleep(spoken.does[0])
            if (going_on := spoken.does[1](kit, session)) is not None:
                await going_on

    turns = {"turn_detection": "realtime_llm"} if detects else {}
    case = Case(spoken.said, agent=clerk, does=does, models=models, until=16.0)
    return replace(case, turns=turns)


def shown(lines: list[tuple[float, str]]) -> list[list[str]]:
    """What was told, in order, for each kind of it."""
    texts = [text for _, text in lines]
    return [[text for text in texts if text.startswith(kind)] for kind in SHOWN]


def heard(model: ScriptedRealtime) -> list[tuple[Any, ...]]:
    """What it was told, without the names that it gives itself, and the words of a cut."""
    [session] = model.sessions
    found = [entry for entry in session.heard if entry[0] in TOLD]
    return [
        ("truncate", round(entry[2], -1)) if entry[0] == "truncate" else entry for entry in found
    ]


@pytest.mark.parametrize(
    ("name", "detects"), [(name, who) for name, case in CASES.items() for who in case.detects]
)
def test_a_conversation_with_a_realtime_model_shows_what_livekits_shows(
    name: str, detects: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ScriptedRealtime] = []
    case = case_of(CASES[name], detects, made)
    theirs, ours = (shown(held(kit, case, monkeypatch)) for kit in (livekit, antiphon))
    assert ours == theirs
    assert heard(made[1]) == heard(made[0])
