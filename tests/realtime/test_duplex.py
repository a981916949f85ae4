"""A model that listens while it speaks, in LiveKit's duplex adapter: GPT-Live over its socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from antiphon import AgentSession, Price
from antiphon.conformance import gateway
from antiphon.conformance.checks import SECOND, Waiter
from antiphon.simulate import interrupts, listens, pauses, says
from tests.realtime.rows import GPT_LIVE, INFERENCE_LIVE, Row
from tests.realtime.script import Answer, Model
from tests.realtime.talking import talking
from tests.realtime.test_at_length import First
from tests.realtime.test_conversations import FIRST, two_turns
from tests.realtime.test_faults import LONG

if TYPE_CHECKING:
    from tests.realtime.script import Made

EVERY = pytest.mark.parametrize("row", [GPT_LIVE, INFERENCE_LIVE], ids=str)


@EVERY
async def test_what_is_said_on_both_sides_is_heard_and_written(row: Row) -> None:
    async with talking(row, Model(FIRST, SECOND), agent=Waiter()) as talk:
        await two_turns(talk)
    assert [(made.instructions, made.tools) for made in talk.made] == [
        ("Book tables.", ["book"])
    ] * 2
    (connection,) = talk.model.connections
    assert talk.model.asked("session.start") == talk.model.asked("session.close") == 1
    assert connection.closed is not None


async def test_a_model_that_falls_silent_when_the_user_speaks_is_heard_to_do_so() -> None:
    async with talking(GPT_LIVE, Model(Answer(endless=True), SECOND)) as talk:
        await talk.begins(says("count for me"))
        await talk.play(interrupts("stop that is enough", into=3.0))
    story, end = talk.made
    assert story.stopped is not None
    assert talk.call.said("agent")[1:] == [SECOND]
    (heard,) = [text for role, text in talk.history() if role == "assistant"][:1]
    assert heard.split() == talk.call.said("agent")[0].split()
    assert story.said.startswith(heard)
    assert len(story.said.split()) - len(heard.split()) <= 1  # the word in which it stopped
    assert end.asked[-1] == ("user", "stop that is enough")


async def test_a_reply_goes_on_while_the_user_agrees() -> None:
    """Whether to yield is the model's own affair."""
    model = Model(LONG)
    model.yields = False
    async with talking(GPT_LIVE, model) as talk:
        await talk.begins(says("a table for four please"))
        await talk.call.play(interrupts("right", into=1.0), listens(gap=3.0))
    assert talk.call.said("agent") == [LONG]
    assert talk.history()[-1] == ("user", "right")


@EVERY
async def test_a_tool_is_called_and_what_it_gave_is_spoken_of(row: Row) -> None:
    waiter = Waiter()
    book = Answer("One moment.", calls=(("book", {"day": "Friday", "people": 4}),))
    async with talking(row, Model(book, SECOND, FIRST), agent=waiter) as talk:
        await talk.play(says("a table for four on friday"), responses=2)
        await talk.play(says("thank you"))
    assert waiter.booked == [("Friday", 4)]
    assert talk.call.said("agent") == ["One moment.", SECOND, FIRST]
    assert dict(talk.made[1].asked)["result"] == "booked for 4 on Friday"
    assert [role for role, _ in talk.history()] == [
        *("user", "assistant", "call", "result", "assistant"),
        *("user", "assistant"),
    ]
    assert talk.model.asked("response.create") == 1


async def test_a_reply_is_asked_for_with_instructions_and_what_is_typed_is_answered() -> None:
    async with talking(GPT_LIVE, Model("Good day.", SECOND)) as talk:
        talk.call.session.generate_reply(instructions="Greet the user.")
        await talk.play()
        talk.call.session.generate_reply(user_input="Thank you.")
        await talk.play()
    greeting, answer = talk.made
    assert "Greet the user." in greeting.asked[-1][1]
    assert "Thank you." in answer.asked[-1][1]
    assert talk.history() == [
        ("assistant", "Good day."),
        ("user", "Thank you."),
        ("assistant", SECOND),
    ]


async def test_a_lost_connection_is_opened_again_with_what_was_said() -> None:
    async with talking(GPT_LIVE, Model(FIRST, SECOND), faults=True) as talk:
        await talk.play(says("a table for four please"))
        talk.model.lose()
        await talk.call.play(pauses(5.0))
        await talk.play(says("thank you"))
    assert talk.call.said("agent") == [FIRST, SECOND]
    assert len(talk.model.connections) == 2
    assert talk.made[1].asked == talk.history()[:3]
    assert talk.made[1].instructions == "Be brief."


async def test_another_agent_takes_over_in_a_session_of_its_own() -> None:
    """Such a model takes no other instructions once it has begun."""

    def answers(made: Made) -> Answer:
        if "other" in json.dumps(made.asked[-1]):
            return Answer(calls=(("hand_over", {}),))
        return Answer(SECOND)

    async with talking(GPT_LIVE, Model(script=answers), agent=First()) as talk:
        await talk.call.play(says("the other please"), pauses(5.0), listens(gap=2.0))
        await talk.play(says("thank you"))
    assert talk.call.said("agent")[-1] == SECOND
    last = talk.made[-1]
    assert (last.instructions, last.tools) == ("You are the second.", ["pay"])
    assert last.asked[-1] == ("user", "thank you")
    assert len(talk.model.connections) == 2


async def test_a_string_names_such_a_model_behind_the_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", gateway.KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", gateway.SECRET)

    def session(url: str) -> AgentSession[None]:
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", f"{url}/v1")
        return AgentSession(llm="openai/gpt-live-1")

    async with talking(INFERENCE_LIVE, Model(FIRST), session=session) as talk:
        await talk.play(says("a table for four please"))
    assert talk.call.said("agent") == [FIRST]


async def test_its_time_is_paid_for_and_so_is_the_model_behind_it() -> None:
    prices = {"gpt-live-1": Price(hour=3600.0), "gpt-5.6-luna": Price(input=1.0, output=2.0)}
    book = Answer("One moment.", calls=(("book", {"day": "Friday", "people": 4}),))
    model = Model(book, SECOND)
    async with talking(GPT_LIVE, model, agent=Waiter(), prices=prices) as talk:
        await talk.play(says("a table for four on friday"), responses=2)
    (connection,) = model.connections
    assert connection.closed is not None
    cost = {each.model: each for each in talk.call.session.cost.models}
    lasted = connection.closed - connection.opened
    assert cost["gpt-live-1"].dollars == pytest.approx(lasted, abs=0.5)
    assert cost["gpt-5.6-luna"].dollars == pytest.approx((100 + 2 * 20) / 1e6)
    assert talk.call.session.cost.unknown == ()
