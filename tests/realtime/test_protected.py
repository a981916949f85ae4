"""A reply that must not be interrupted, where the model's server detects the user's voice."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.simulate import interrupts, listens, pauses, says
from tests.realtime.rows import CLIENTS, OPENAI, ROWS, Row
from tests.realtime.script import Answer, Model
from tests.realtime.talking import talking

EVERY = pytest.mark.parametrize("row", ROWS, ids=str)

TERMS = "This call is recorded. Nothing that is said here is an offer. Our terms apply."
SECOND = "See you on Friday."
THIRD = "You are welcome."


@EVERY
async def test_a_voice_over_a_protected_reply_ends_nothing_and_is_answered_after_it(
    row: Row,
) -> None:
    slow = Answer(TERMS, speed=1.0)  # it is still being made when the user speaks
    async with talking(row, Model(slow, SECOND, THIRD)) as talk:
        terms = talk.call.session.generate_reply(instructions="Say it.", allow_interruptions=False)
        await talk.begins()
        await talk.play(interrupts("but i want to book", into=1.0))
        await talk.play(says("thank you"))
    assert not terms.interrupted
    assert talk.call.said("agent") == [TERMS, SECOND, THIRD]
    said = [pair for pair in talk.history() if pair[0] != "system"]
    assert said == [
        ("assistant", TERMS),
        ("user", "but i want to book"),
        ("assistant", SECOND),
        ("user", "thank you"),
        ("assistant", THIRD),
    ]
    assert talk.made[0].stopped is None
    assert talk.model.truncated == []


@pytest.mark.parametrize("row", CLIENTS, ids=str)
async def test_who_may_never_interrupt_is_answered_all_the_same(row: Row) -> None:
    options: Any = {"turn_handling": {"interruption": {"enabled": False}}}
    async with talking(row, Model(Answer(TERMS, speed=1.0), SECOND), **options) as talk:
        await talk.begins(says("hello there"))
        await talk.play(interrupts("but i want to book", into=1.0))
    assert talk.call.said("agent") == [TERMS, SECOND]
    assert talk.call.said("user") == ["hello there", "but i want to book"]


async def test_a_protected_reply_that_the_program_ends_gives_the_user_the_word_at_once() -> None:
    async with talking(OPENAI, Model(Answer(endless=True), SECOND)) as talk:
        talk.call.session.generate_reply(instructions="Count.", allow_interruptions=False)
        await talk.begins()
        await talk.call.play(interrupts("stop that is enough", into=2.0), pauses(3.0))
        assert len(talk.made) == 1
        await talk.call.session.interrupt(force=True)
        await talk.play()
    assert talk.call.said("agent")[1:] == [SECOND]
    assert talk.made[1].asked[-1] == ("user", "stop that is enough")


async def test_what_is_discarded_over_a_protected_reply_is_not_heard_later() -> None:
    options: Any = {"turn_handling": {"interruption": {"discard_audio_if_uninterruptible": True}}}
    async with talking(OPENAI, Model(Answer(TERMS, speed=1.0), THIRD), **options) as talk:
        talk.call.session.generate_reply(instructions="Say it.", allow_interruptions=False)
        await talk.begins()
        await talk.call.play(interrupts("but i want to book", into=1.0), listens(gap=3.0))
        talk.call.session.clear_user_turn()  # there is nothing of it
        await talk.play(says("thank you"))
    assert talk.call.said("agent") == [TERMS, THIRD]
    assert talk.call.said("user") == ["thank you"]
