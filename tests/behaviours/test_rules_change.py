"""Other rules hold from the moment an agent takes over, for the turn that is about to end too."""

from typing import Any

import pytest

from antiphon import Agent
from antiphon.simulate import Act, ScriptedLLM, does, pauses, says, simulate


def host(delay: float) -> Agent:
    turns: Any = {"endpointing": {"mode": "fixed", "min_delay": delay, "max_delay": delay}}
    return Agent(instructions="", turn_handling=turns)


@pytest.mark.parametrize(("first", "then", "patience"), [(0.5, 2.0, 2.0), (3.0, 0.75, 0.75)])
def test_an_agent_that_takes_over_is_as_patient_with_the_user_as_it_says(
    first: float, then: float, patience: float
) -> None:
    following = host(then)
    script: list[Act] = [
        says("hello there", at=1.0),
        does(lambda call: call.session.update_agent(following), at=2.2),
        pauses(6),
    ]
    call = simulate(host(first), script, llm=["Good day."])
    (stopped,) = [
        float(str(r.detail["at"])) for r in call.timeline.records if r.kind == "voice_stopped"
    ]
    (committed,) = [r.t for r in call.timeline.records if r.kind == "commit"]
    assert round(committed - stopped, 9) == patience


@pytest.mark.parametrize("sound", [True, False])
def test_an_agent_that_takes_over_prepares_as_much_of_an_answer_as_it_says(sound: bool) -> None:
    turns: Any = {"preemptive_generation": {"preemptive_tts": sound}}
    following = Agent(instructions="", turn_handling=turns)
    script: list[Act] = [
        does(lambda call: call.session.update_agent(following), at=0.2),
        says("hello there", at=1.0),
        pauses(3),
    ]
    other: Any = {"preemptive_generation": {"preemptive_tts": not sound}}
    first = Agent(instructions="", turn_handling=other)
    call = simulate(first, script, llm=ScriptedLLM(["Good day."], first_token=0.0))
    when = {r.kind: r.t for r in call.timeline.records}
    assert (when["first_sound"] < when["commit"]) is sound
