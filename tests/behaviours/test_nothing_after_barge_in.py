"""Promise 1: nothing is heard after a barge-in, whenever it comes."""

from __future__ import annotations

import pytest

from tests.scripted import RATE, Call, Making, at, check, hold, plain, sentence, user
from tests.scripted_producers import PRODUCERS
from tests.sweeps import every


def turns(moment: float, lasts: float, text: str, agent: Making) -> Call:
    """Two turns with `text` said at `moment` of an answer, and a last question."""
    return hold(
        user(0.2, 0.8, "zaza zeze"),
        user(moment, moment + lasts, text),
        user(moment + 3.0, moment + 3.6, "zuzu zozo"),
        agent=agent,
    )


@pytest.mark.parametrize(
    ("text", "lasts"),
    [("zizi", 0.5), ("zizi zizizi zizizizi", 0.3)],  # after a pause, and at once
)
@pytest.mark.parametrize("agent", PRODUCERS)
def test_nothing_is_heard_after_a_barge_in_at_any_moment(
    text: str, lasts: float, agent: Making
) -> None:
    ends = 6.0 if agent is plain else 4.5  # a realtime model has said all of it by then
    for moment in every(0.85, ends)[:: 1 if agent is plain or lasts == 0.5 else 5]:
        call = turns(moment, lasts, text, agent)
        try:
            check(call)
            assert call.messages[-1].role == "assistant"
            assert not call.messages[-1].interrupted
        except AssertionError as error:
            error.add_note(f"barge-in at {moment:.2f} s")
            raise


def test_the_application_silences_the_agent_at_once_at_any_moment() -> None:
    for moment in every(0.0, 5.0):
        call = hold(
            user(0.2, 0.8, "zaza zeze"),
            at(0.3, lambda call: call.say(sentence(5000))),
            at(moment, lambda call: call.session.interrupt()),
            user(6.0, 6.5, "zuzu"),
        )
        check(call)
        late = [began for began, pcm in call.played if began + len(pcm) / RATE > moment + 1e-9]
        spoke = [r.t for r in call.records("granted") if r.t >= moment]
        assert all(began >= min(spoke) for began in late), moment
