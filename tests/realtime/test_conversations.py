"""Every realtime model holds a conversation, through the session and over its real socket."""

from __future__ import annotations

import pytest

from antiphon.conformance.checks import SECOND, Waiter
from antiphon.simulate import interrupts, says
from tests.realtime.rows import ROWS, Row
from tests.realtime.script import Answer, Model
from tests.realtime.talking import Talk, talking

EVERY = pytest.mark.parametrize("row", ROWS, ids=str)

FIRST = "Of course. There is a table for four at eight."


async def two_turns(talk: Talk) -> None:
    """What is said on both sides is heard, is in history, and is what the model is asked with."""
    await talk.play(says("a table for four please"))
    await talk.play(says("thank you"))
    assert talk.call.said("agent") == [FIRST, SECOND]
    assert talk.call.said("user") == ["a table for four please", "thank you"]
    assert talk.history() == [
        ("user", "a table for four please"),
        ("assistant", FIRST),
        ("user", "thank you"),
        ("assistant", SECOND),
    ]
    assert talk.made[1].asked == talk.history()[:3]


@EVERY
async def test_what_a_model_says_is_heard(row: Row) -> None:
    async with talking(row, Model(FIRST, SECOND)) as talk:
        await two_turns(talk)
    assert "Be brief." in talk.made[0].instructions


@EVERY
async def test_a_tool_is_called_and_the_reply_after_it_is_heard(row: Row) -> None:
    waiter = Waiter()
    book = Answer("One moment.", calls=(("book", {"day": "Friday", "people": 4}),))
    async with talking(row, Model(book, SECOND), agent=waiter) as talk:
        await talk.play(says("a table for four on friday"), responses=2)
    assert waiter.booked == [("Friday", 4)]
    assert talk.call.said("agent") == ["One moment.", SECOND]
    first, second = talk.made
    assert first.tools == second.tools == ["book"]
    assert "booked for 4 on Friday" in dict(second.asked)["result"]


@EVERY
async def test_a_barge_in_is_heard_at_once_and_the_model_knows_what_was_heard(row: Row) -> None:
    story = Answer(endless=True)
    async with talking(row, Model(story, SECOND)) as talk:
        await talk.begins(says("count for me"))
        await talk.play(interrupts("stop that is enough", into=4.0))
    cut, end = talk.made
    assert talk.call.said("agent")[1] == SECOND
    assert cut.stopped is not None
    (said,) = [text for role, text in talk.history() if role == "assistant"][:1]
    assert said.split() == talk.call.said("agent")[0].split()
    if row.truncates:
        ((message, milliseconds, _),) = talk.model.truncated
        assert message == cut.item
        assert abs(milliseconds - talk.heard_of(0)) <= 20
        assert end.asked[1] == ("assistant", said)
    assert end.asked[-1] == ("user", "stop that is enough")


class Greeting(Waiter):
    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Greet the user.")


@EVERY
async def test_a_greeting_is_heard_from_a_model_that_is_told_all_before_it_connects(
    row: Row,
) -> None:
    """Google's plugin connects anew for other instructions and tools, and forgets questions."""
    async with talking(row, Model("Good day.", SECOND), agent=Greeting()) as talk:
        await talk.play()
        await talk.play(says("thank you"))
    assert talk.call.said("agent") == ["Good day.", SECOND]
    assert len(talk.model.connections) == 1
    greeting, answer = talk.made
    assert "Greet the user." in f"{greeting.instructions} {greeting.asked}"
    assert greeting.tools == answer.tools == ["book"]
    assert "Greet the user." not in answer.instructions
