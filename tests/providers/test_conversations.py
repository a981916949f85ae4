"""Every model of the documentation holds a conversation: words, tools, a barge-in."""

from __future__ import annotations

import pytest

from antiphon import Agent, function_tool
from antiphon.simulate import interrupts, listens, says
from tests.providers.rows import ROWS, Row
from tests.providers.talking import talking
from tests.providers.wire import Reply, Server

EVERY = pytest.mark.parametrize("row", ROWS, ids=str)
# The others run their tools in the provider's place.
CALLING = pytest.mark.parametrize("row", [row for row in ROWS if row.answers_tools], ids=str)

FIRST = "Of course. There is a table for four at eight."
SECOND = "You are welcome. See you on Friday."


@EVERY
async def test_what_a_model_says_is_heard(row: Row) -> None:
    async with talking(row, Server(row.speaks(), FIRST, SECOND)) as talk:
        await talk.call.play(says("a table for four please"), listens())
        await talk.call.play(says("thank you"), listens())
    assert talk.call.said("agent") == [FIRST, SECOND]
    first, second = talk.asked
    assert first.model == second.model == row.model
    assert ("user", "a table for four please") in first.said
    assert second.said[-3:] == [
        ("user", "a table for four please"),
        ("assistant", FIRST),
        ("user", "thank you"),
    ]
    assert any("Be brief." in text for _, text in first.said[:1])


class Waiter(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Book tables.")
        self.booked: list[tuple[str, int]] = []

    @function_tool
    async def book(self, day: str, people: int) -> str:
        """Book a table.

        Args:
            day: the day of the week
            people: how many come
        """
        self.booked.append((day, people))
        return f"booked for {people} on {day}"


@CALLING
async def test_a_tool_is_called_and_the_reply_after_it_is_heard(row: Row) -> None:
    waiter = Waiter()
    book = Reply("One moment.", calls=(("book", {"day": "Friday", "people": 4}),))
    async with talking(row, Server(row.speaks(), book, SECOND), agent=waiter) as talk:
        await talk.call.play(says("a table for four on friday"), listens())
    assert waiter.booked == [("Friday", 4)]
    assert talk.call.said("agent") == ["One moment.", SECOND]
    first, second = talk.asked
    assert first.tools == second.tools == ["book"]
    ((call_id, name, arguments),) = second.called
    assert (name, arguments) == ("book", {"day": "Friday", "people": 4})
    assert "booked for 4 on Friday" in second.results[call_id]


@CALLING
async def test_two_tools_are_called_at_once(row: Row) -> None:
    waiter = Waiter()
    calls = (("book", {"day": "Friday", "people": 4}), ("book", {"day": "Sunday", "people": 2}))
    server = Server(row.speaks(), Reply(calls=calls), SECOND)
    async with talking(row, server, agent=waiter) as talk:
        await talk.call.play(says("two tables please"), listens())
    assert sorted(waiter.booked) == [("Friday", 4), ("Sunday", 2)]
    second = talk.asked[1]
    assert len(second.called) == len(second.results) == 2
    assert [arguments for _, _, arguments in second.called] == [call[1] for call in calls]


@EVERY
async def test_a_barge_in_closes_the_connection(row: Row) -> None:
    server = Server(row.speaks(), Reply(endless=True), SECOND)
    async with talking(row, server) as talk:
        await talk.call.play(
            says("count for me"), interrupts("stop that is enough", into=4.0), listens()
        )
    (cut,) = talk.call.records("cut")
    story, end = talk.asked
    assert talk.call.said("agent")[1] == SECOND
    assert not story.over
    assert story.left is not None
    if row.closes:
        assert story.left - talk.call.start - cut.t <= 0.05
    else:
        assert story.left <= end.began
    assert end.said[-1] == ("user", "stop that is enough")
    heard = end.said[-2]
    assert heard[0] == "assistant"
    assert heard[1].split() == talk.call.said("agent")[0].split()
