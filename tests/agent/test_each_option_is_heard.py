"""Each option of turn handling changes what the caller hears, as LiveKit documents it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_type_hints

import pytest
from livekit.agents.voice import turn

from antiphon import Agent
from antiphon.simulate import (
    Act,
    Ears,
    ScriptedLLM,
    coughs,
    hesitates,
    interrupts,
    pauses,
    says,
    simulate,
)
from tests.agent.test_turn_detection import Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.simulate import Call

REPLY = "One two three, four five six seven eight nine ten eleven twelve thirteen fourteen."
HERE = Path(__file__).parent

ASKS: list[Act] = [says("tell me", at=1.0, lasts=1.0), pauses(14)]
TALKS_OVER: list[Act] = [
    says("tell me", lasts=1.0),
    interrupts("stop now", word="four"),
    pauses(12),
]
COUGHS: list[Act] = [
    says("tell me", lasts=1.0),
    coughs(0.6, word="four", ears=Ears(silent=0.05)),
    pauses(14),
]
STUMBLES: list[Act] = [
    *(says("one", at=1.0, lasts=0.5), says("two", at=2.3, lasts=0.5)),
    *(says("tell me", at=14.0, lasts=1.0), pauses(14)),
]
RAMBLES: list[Act] = [
    says("tell", hesitates(0.4), "me", hesitates(0.4), "a", hesitates(0.4), "story", at=1.0),
    pauses(14),
]


class Cutting(Agent):
    """Says what it has to when the user goes on for too long."""

    async def on_user_turn_exceeded(self, ev: Any) -> None:
        self.session.say("Excuse me.", allow_interruptions=False)


def talk(script: list[Act], turn_handling: dict[str, Any], **options: Any) -> Call:
    model = ScriptedLLM(lambda _: REPLY, first_token=0.05)
    agent = Cutting(instructions="")
    return simulate(agent, script, llm=model, turn_handling=turn_handling, **options)


UNSURE: Final = Words(0.1, **{"tell me": 0.1})

# What is heard, as a number.


def answered(call: Call) -> float:
    """Seconds from the caller's last words to the agent's next ones; -1: no answer."""
    said = [line for line in call.lines if line.speaker == "user"][-1]
    starts = [line.start for line in call.lines if line.speaker == "agent"]
    return next((round(start - said.end, 3) for start in starts if start > said.end), -1.0)


def words(call: Call) -> int:
    """How many words of the agent's were heard."""
    return len(call.heard)


def held(call: Call) -> float:
    """Seconds for which the agent's first reply was held."""
    paused, resumed = call.records("pause"), call.records("resume")
    return round(resumed[0].t - paused[0].t, 3) if paused and resumed else 0.0


def cut_in(call: Call) -> bool:
    return "Excuse me." in call.said("agent")


Row = tuple["list[Act]", "Callable[[Call], float]", dict[str, Any], float, dict[str, Any], float]

# What the caller does, what is measured, and the option twice, each with what comes of it.
TABLE: Final[dict[str, Row]] = {
    "turn_detection": (ASKS, answered, {}, 0.5, {"turn_detection": "manual"}, -1.0),
    "endpointing.min_delay": (
        *(ASKS, answered, {"endpointing": {"min_delay": 1.5}}, 1.5),
        *({"endpointing": {"min_delay": 2.0}}, 2.0),
    ),
    "endpointing.max_delay": (
        *(ASKS, answered),
        *({"turn_detection": UNSURE, "endpointing": {"max_delay": 2.0}}, 2.0),
        *({"turn_detection": UNSURE, "endpointing": {"max_delay": 4.0}}, 4.0),
    ),
    "endpointing.mode": (
        *(STUMBLES, answered, {"endpointing": {"alpha": 0.0}}, 0.5),
        *({"endpointing": {"mode": "dynamic", "alpha": 0.0}}, 0.8),
    ),
    "endpointing.alpha": (
        *(STUMBLES, answered, {"endpointing": {"mode": "dynamic", "alpha": 0.0}}, 0.8),
        *({"endpointing": {"mode": "dynamic", "alpha": 1.0}}, 0.5),
    ),
    "interruption.enabled": (
        *(TALKS_OVER, words, {}, 18),
        *({"interruption": {"enabled": False}}, 28),
    ),
    "interruption.min_duration": (
        *(COUGHS, held, {"interruption": {"min_duration": 0.2}}, 1.45),
        *({"interruption": {"min_duration": 0.7}}, 0.0),
    ),
    "interruption.min_words": (
        *(TALKS_OVER, words, {}, 18),
        *({"interruption": {"min_words": 3}}, 14),
    ),
    "interruption.resume_false_interruption": (
        *(COUGHS, words, {}, 14),
        *({"interruption": {"resume_false_interruption": False}}, 4),
    ),
    "interruption.false_interruption_timeout": (
        *(COUGHS, held, {"interruption": {"false_interruption_timeout": 1.0}}, 1.45),
        *({"interruption": {"false_interruption_timeout": 3.0}}, 3.45),
    ),
    "preemptive_generation.enabled": (
        *(ASKS, answered, {"preemptive_generation": {"enabled": True}}, 0.5),
        *({"preemptive_generation": {"enabled": False}}, 0.693),
    ),
    "preemptive_generation.preemptive_tts": (
        *(ASKS, answered, {"preemptive_generation": {"preemptive_tts": True}}, 0.5),
        *({"preemptive_generation": {"preemptive_tts": False}}, 0.6),
    ),
    "preemptive_generation.max_speech_duration": (
        *(ASKS, answered, {"preemptive_generation": {"max_speech_duration": 2.0}}, 0.5),
        *({"preemptive_generation": {"max_speech_duration": 0.5}}, 0.693),
    ),
    "preemptive_generation.max_retries": (
        *(RAMBLES, answered, {"preemptive_generation": {"max_retries": 9}}, 0.5),
        *({"preemptive_generation": {"max_retries": 1}}, 0.693),
    ),
    "user_turn_limit.max_words": (
        *(RAMBLES, cut_in, {"user_turn_limit": {"max_words": 9}}, False),
        *({"user_turn_limit": {"max_words": 2}}, True),
    ),
    "user_turn_limit.max_duration": (
        *(RAMBLES, cut_in, {"user_turn_limit": {"max_duration": 9.0}}, False),
        *({"user_turn_limit": {"max_duration": 1.0}}, True),
    ),
}
# Those that go by the sound, or by a model of LiveKit Inference, which is on a socket there.
ELSEWHERE: Final = {
    "interruption.discard_audio_if_uninterruptible": (
        "test_deafness.py",
        "test_words_over_a_protected_speech_are_heard_unless_they_are_to_be_discarded",
    ),
    "interruption.mode": (
        "test_adaptive_interruption.py",
        "test_words_that_a_model_takes_for_no_interruption_do_not_end_the_reply",
    ),
    "interruption.backchannel_boundary": (
        "test_adaptive_interruption.py",
        "test_a_voice_that_begins_with_the_reply_is_judged_by_its_words",
    ),
}
GROUPS: Final = {
    "endpointing": turn.EndpointingOptions,
    "interruption": turn.InterruptionOptions,
    "preemptive_generation": turn.PreemptiveGenerationOptions,
    "user_turn_limit": turn.UserTurnLimitOptions,
}


def test_every_option_of_livekits_is_in_the_table() -> None:
    every = set(get_type_hints(turn.TurnHandlingOptions)) - set(GROUPS)
    every |= {f"{name}.{key}" for name, group in GROUPS.items() for key in get_type_hints(group)}
    assert set(TABLE) | set(ELSEWHERE) == every
    for file, test in ELSEWHERE.values():
        assert f"def {test}" in (HERE / file).read_text()


@pytest.mark.parametrize("option", TABLE)
def test_the_option_changes_what_the_caller_hears(option: str) -> None:
    script, measure, one, expected, other, then = TABLE[option]
    assert (measure(talk(script, one)), measure(talk(script, other))) == (expected, then)
    assert expected != then
