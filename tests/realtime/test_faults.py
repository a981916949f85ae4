"""What a realtime model's server does wrong: the call goes on, or ends and says so."""

from __future__ import annotations

import asyncio

import pytest
from livekit.agents import CloseReason

from antiphon.simulate import interrupts, listens, pauses, says
from tests.realtime.rows import CLIENTS, GEMINI, OPENAI, Row
from tests.realtime.script import Answer, Model
from tests.realtime.talking import Talk, talking

EVERY = pytest.mark.parametrize("row", CLIENTS, ids=str)

FIRST = "There is a table for four at eight."
HALF = "I shall look whether"
REST = "There is one at nine."
SECOND = "See you on Friday."
LONG = "There is one at eight, one at nine, and one by the window, if you can wait until ten."


@EVERY
async def test_a_lost_connection_is_opened_again_with_what_was_said(row: Row) -> None:
    """Where the plugin tells, what was broken off is asked for anew at once."""
    rest = [REST] if row.tells_reconnected else []
    answers = [Answer(FIRST), Answer(HALF, fault="cut"), *map(Answer, rest), Answer(SECOND)]
    async with talking(row, Model(*answers), faults=True) as talk:
        await talk.play(says("a table for four please"))
        await talk.play(says("and one for two"))
        await talk.call.play(pauses(5.0), listens(gap=1.0))
        await talk.play(says("well then"))
    first, half, *others = talk.call.said("agent")
    assert first == FIRST
    assert HALF.startswith(half)
    assert others == [*rest, SECOND]
    last = talk.made[-1]
    assert ("assistant", FIRST) in last.asked
    assert last.asked[-1] == ("user", "well then")
    assert last.instructions == "Be brief."
    assert talk.history()[-1] == ("assistant", SECOND)
    assert len(talk.model.connections) == 2


@EVERY
async def test_a_connection_lost_in_a_silence_is_opened_again(row: Row) -> None:
    async with talking(row, Model(FIRST, SECOND), faults=True) as talk:
        await talk.play(says("a table for four please"))
        talk.model.lose()
        await talk.call.play(pauses(5.0))
        await talk.play(says("thank you"))
    assert talk.call.said("agent") == [FIRST, SECOND]
    assert talk.made[1].asked == talk.history()[:3]


@EVERY
@pytest.mark.parametrize("door", ["401", "500", "hang"])
async def test_a_server_that_does_not_let_in_ends_the_call(row: Row, door: str) -> None:
    model = Model()
    model.doors = [door] * 10
    async with talking(row, model, faults=True) as talk:
        await talk.call.play(pauses(60.0))
        (closed,) = talk.call.reported("close")
    assert closed.reason is CloseReason.ERROR
    assert talk.call.errors
    assert talk.call.ended < 61


@EVERY
async def test_a_server_that_never_answers_leaves_the_call_as_it_is(row: Row) -> None:
    async with talking(row, Model(Answer(fault="silence"), SECOND), faults=True) as talk:
        speech = talk.call.session.generate_reply(instructions="Greet the user.")
        async with asyncio.timeout(60.0):
            await speech
        assert speech.exception() is not None
        await talk.play(says("is anybody there"))
    assert talk.call.said("agent") == [SECOND]


@EVERY
async def test_a_model_that_falls_silent_can_be_interrupted(row: Row) -> None:
    async with talking(row, Model(Answer(HALF, fault="stall"), SECOND)) as talk:
        await talk.begins(says("a table for four please"))
        await talk.call.play(pauses(10.0))
        await talk.play(says("are you there", gap=None))
    half, second = talk.call.said("agent")
    assert second == SECOND
    assert HALF.startswith(half)  # who is not told when words end takes the last one for unfinished
    assert half.startswith("I shall look")


@EVERY
@pytest.mark.parametrize("fault", ["failed", "error", "odd"])
async def test_the_next_turn_is_answered_after(row: Row, fault: str) -> None:
    async with talking(row, Model(Answer(HALF, fault=fault), SECOND), faults=True) as talk:
        await fault_comes(talk)
        await talk.play(says("thank you"))
    assert talk.call.said("agent")[-1] == SECOND
    assert talk.history()[-2:] == [("user", "thank you"), ("assistant", SECOND)]


async def fault_comes(talk: Talk) -> None:
    await talk.call.play(says("a table for four please"), pauses(6.0))


async def test_gemini_may_send_its_client_away() -> None:
    async with talking(GEMINI, Model(Answer(FIRST, fault="away"), SECOND)) as talk:
        await talk.play(says("a table for four please"))
        await talk.call.play(pauses(3.0))
        await talk.play(says("thank you"))
    assert talk.call.said("agent") == [FIRST, SECOND]
    assert len(talk.model.connections) == 2
    assert talk.made[1].asked == talk.history()[:3]


@EVERY
async def test_a_barge_in_into_audio_without_end_ends_it(row: Row) -> None:
    """The model is far ahead of what is heard, and would never stop."""
    async with talking(row, Model(Answer(endless=True, speed=10.0), SECOND)) as talk:
        await talk.begins(says("count for me"))
        await talk.play(interrupts("stop that is enough", into=3.0))
    story = talk.made[0]
    assert story.stopped is not None
    assert not story.over
    assert talk.call.said("agent")[1:] == [SECOND]


async def test_a_reply_that_is_cut_after_its_connection_was_lost_is_cut_at_the_server_too() -> None:
    """All of it has come, and is still being heard; the new connection has the text of it."""
    async with talking(OPENAI, Model(Answer(LONG, speed=50.0), SECOND), faults=True) as talk:
        await talk.begins(says("a table for four please"))
        await talk.call.play(pauses(1.0))
        talk.model.lose()
        await talk.play(interrupts("that will do thank you", into=3.5))
    assert talk.call.said("agent")[1:] == [SECOND]
    heard = talk.history()[1][1]
    assert 3 < len(heard.split()) < len(LONG.split())
    assert talk.made[1].asked == [*talk.history()[:2], ("user", "that will do thank you")]
    assert talk.model.truncated == []
