"""What a realtime model owes at a handover, in a protected reply, and when the call ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from antiphon import Agent
from tests.scripted import Call, Plain, at, check, hold, user
from tests.scripted_producers import its_turns, model_of, our_turns, told

if TYPE_CHECKING:
    from tests.scripted import Making

BOTH = pytest.mark.parametrize("agent", [its_turns, our_turns])
ASKED = user(0.2, 0.8, "zaza zeze")


def plainly(call: Call) -> Agent:
    """An agent without a realtime model."""
    return Plain(call.caller, call.voice)


def with_that_model(call: Call) -> Agent:
    """Another agent with the model that there is."""
    return Agent(instructions="Next.", llm=model_of(call.agent))


@BOTH
@pytest.mark.parametrize("following", [plainly, with_that_model])
def test_words_that_came_before_a_handover_are_answered_by_the_agent_that_takes_over(
    agent: Making, following: Making
) -> None:
    for moment in [0.9 + 0.05 * n for n in range(9)]:
        call = hold(
            ASKED, at(moment, lambda call: call.session.update_agent(following(call))), agent=agent
        )
        check(call)
        assert [m.role for m in call.messages] == ["user", "assistant"], moment


@BOTH
def test_a_turn_over_which_another_agent_of_the_same_model_takes_over_is_answered_whole(
    agent: Making,
) -> None:
    for moment in [0.3 + 0.1 * n for n in range(6)]:
        call = hold(
            ASKED,
            at(moment, lambda call: call.session.update_agent(with_that_model(call))),
            agent=agent,
        )
        check(call)
        assert not told(call, "clear"), moment
        assert [m.role for m in call.messages] == ["user", "assistant"], moment
