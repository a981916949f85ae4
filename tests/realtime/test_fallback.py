"""A realtime model fails, and the session goes on with the next one: two servers, and one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit.agents import llm

from antiphon import Agent
from antiphon.simulate import interrupts, pauses, says
from tests.realtime.rows import GEMINI, OPENAI, Row
from tests.realtime.script import Answer, Model
from tests.realtime.talking import Talk, talking

if TYPE_CHECKING:
    from livekit.agents.llm.realtime_fallback_adapter import RealtimeAvailabilityChangedEvent

PAIRS = pytest.mark.parametrize(
    ("first", "second"),
    [(OPENAI, OPENAI), (OPENAI, GEMINI), (GEMINI, OPENAI)],
    ids=lambda row: str(row),
)

FIRST = "There is a table for four at eight."
HALF = "I shall look whether"
REST = "There is one at nine."
SECOND = "See you on Friday."


def listening(talk: Talk) -> list[bool]:
    """What the adapter tells of its models from now on: there or not."""
    told: list[bool] = []

    def note(event: RealtimeAvailabilityChangedEvent) -> None:
        told.append(event.available)

    adapter = talk.realtime
    assert isinstance(adapter, llm.RealtimeModelFallbackAdapter)
    adapter.on("realtime_availability_changed", note)
    return told


def of_both(asked: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without what Google's plugin says to have an answer."""
    return [said for said in asked if said != ("user", ".")]


class Greeting(Agent):
    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Greet the user.")


@PAIRS
async def test_where_the_first_model_lets_nobody_in_the_second_greets(
    first: Row, second: Row
) -> None:
    one, two = Model(), Model("Good day.", SECOND)
    one.doors = ["401"] * 10
    agent = Greeting(instructions="Be brief.")
    async with talking(first, one, then=(second, two), agent=agent, faults=True) as talk:
        told = listening(talk)
        talk.model = two
        await talk.play()
        await talk.play(says("thank you"))
    assert told == [False]
    assert talk.call.said("agent") == ["Good day.", SECOND]
    greeting, answer = two.made
    assert "Greet the user." in f"{greeting.instructions} {greeting.asked}"
    assert "Greet the user." not in answer.instructions
    assert len(talk.call.records("reconnected")) == 1
    assert all(event.error.recoverable for event in talk.call.reported("error"))


@PAIRS
async def test_what_the_first_model_breaks_off_the_second_says_with_the_history(
    first: Row, second: Row
) -> None:
    one = Model(FIRST, Answer(endless=True), Answer(HALF, fault="cut"))
    two = Model(REST, SECOND)
    async with talking(first, one, then=(second, two), faults=True) as talk:
        told = listening(talk)
        await talk.play(says("a table for four please"))
        await talk.begins(says("count for me"))
        await talk.begins(interrupts("thank you that will do", into=2.3))
        one.doors = ["500"] * 10
        talk.model = two
        await talk.play()
        await talk.play(says("well then"))
    said = talk.call.said("agent")
    assert (said[0], said[3:]) == (FIRST, [REST, SECOND])
    assert HALF.startswith(said[2])
    assert told == [False]
    assert len(talk.call.records("reconnected")) == 1
    roles = [role for role, _ in talk.history()]
    assert roles == ["user", "assistant"] * 3 + ["assistant", "user", "assistant"]
    rest, last = two.made
    assert rest.instructions == last.instructions == "Be brief."
    assert of_both(rest.asked) == talk.history()[:6]
    assert of_both(last.asked) == talk.history()[:8]


@PAIRS
async def test_a_model_that_says_nothing_gives_way_to_the_next(first: Row, second: Row) -> None:
    one, two = Model(FIRST, Answer(fault="silence")), Model("Good day.", SECOND)
    async with talking(first, one, then=(second, two), faults=True) as talk:
        await talk.play(says("a table for four please"))
        talk.call.session.generate_reply(instructions="Greet the user.")
        talk.model = two
        await talk.play()
        await talk.play(says("thank you"))
    assert talk.call.said("agent") == [FIRST, "Good day.", SECOND]
    greeting, answer = two.made
    assert "Greet the user." in f"{greeting.instructions} {greeting.asked}"
    assert answer.asked[-1] == ("user", "thank you")
    assert len(one.made) == 2


@PAIRS
async def test_models_that_all_say_nothing_end_the_wait_and_not_the_call(
    first: Row, second: Row
) -> None:
    one, two = Model(Answer(fault="silence"), SECOND), Model(Answer(fault="silence"), SECOND)
    async with talking(first, one, then=(second, two), faults=True) as talk:
        talk.call.session.generate_reply(instructions="Greet the user.")
        await talk.call.play(pauses(60.0))
        talk.model = two
        await talk.play(says("thank you"))
    assert talk.call.said("agent") == [SECOND]
    assert [len(one.made), len(two.made)] == [1, 2]
