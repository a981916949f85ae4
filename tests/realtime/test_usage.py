"""What a realtime model used and what it costs, by what its server says: once, and of its reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents.metrics import LLMModelUsage, STTModelUsage

from antiphon import Price
from antiphon.conformance.checks import SECOND, Waiter
from antiphon.simulate import interrupts, pauses, says
from tests.realtime.rows import GEMINI, INFERENCE, OPENAI, ROWS, XAI, Row
from tests.realtime.script import Answer, Model
from tests.realtime.talking import Talk, talking
from tests.realtime.test_conversations import FIRST

if TYPE_CHECKING:
    from antiphon import ModelCost

EVERY = pytest.mark.parametrize("row", ROWS, ids=str)
PRICE = Price(
    input=1.0, output=2.0, cached=0.5, audio_input=10.0, audio_output=20.0, audio_cached=0.1
)
ONE = (20 * 1 + 60 * 10 + 10 * 0.5 + 30 * 0.1 + 12 * 2 + 38 * 20) / 1e6  # of what the servers say
BOOK = Answer("One moment.", calls=(("book", {"day": "Friday", "people": 4}),))


async def a_call(row: Row, prices: dict[str, Price], model: Model) -> Talk:
    """A turn, one with a tool, and one whose answer is cut."""
    async with talking(row, model, agent=Waiter(), prices=prices) as talk:
        await talk.play(says("hello"))
        await talk.play(says("a table for four on friday"), responses=2)
        await talk.begins(says("count for me"))
        await talk.play(interrupts("stop that is enough", into=2.3))
    return talk


def scripted() -> Model:
    return Model(FIRST, BOOK, SECOND, Answer(endless=True), FIRST)


def of_model(talk: Talk) -> ModelCost:
    (cost,) = [each for each in talk.call.session.cost.models if each.kind == "llm"]
    return cost


@EVERY
async def test_what_the_server_says_of_each_response_is_counted_once(row: Row) -> None:
    name = row.make("http://127.0.0.1:9").model if row is not INFERENCE else "openai/gpt-realtime"
    talk = await a_call(row, {name: PRICE}, scripted())
    told = talk.model.used
    assert told == len(talk.made) - row.secure  # Gemini says it once for a call and its reply
    (used,) = [u for u in talk.call.session.usage.model_usage if isinstance(u, LLMModelUsage)]
    assert used.model == name
    assert used.provider
    assert [
        (used.input_tokens, used.input_text_tokens, used.input_audio_tokens),
        (used.input_cached_tokens, used.input_cached_text_tokens, used.input_cached_audio_tokens),
        (used.output_tokens, used.output_text_tokens, used.output_audio_tokens),
    ] == [
        (120 * told, 30 * told, 90 * told),
        (40 * told, 10 * told, 30 * told),
        (50 * told, 12 * told, 38 * told),
    ]
    cost = of_model(talk)
    assert (cost.provider, cost.model) == (used.provider, used.model)
    assert (cost.requests, cost.uncounted) == (told, 0)
    assert cost.dollars == pytest.approx(told * ONE)


async def test_each_reply_is_told_of_with_what_it_cost_and_so_is_one_that_was_cut() -> None:
    talk = await a_call(OPENAI, {"gpt-realtime": PRICE}, scripted())
    told = talk.call.records("cost")
    replies = [record.reply for record in talk.call.records("reply_started")]
    assert [record.reply for record in told] == replies
    parts: list[Any] = [record.detail["parts"] for record in told]
    assert [each["model"] for each in parts] == pytest.approx([ONE, 2 * ONE, ONE, ONE])
    assert told[-1].detail["so_far"] == pytest.approx(of_model(talk).dollars)


async def test_the_words_of_the_user_are_counted_as_the_server_counts_them() -> None:
    talk = await a_call(OPENAI, {}, scripted())
    (used,) = [u for u in talk.call.session.usage.model_usage if isinstance(u, STTModelUsage)]
    assert used.audio_duration == 4.0  # the server says a second for each turn


async def test_a_price_that_nobody_knows_is_said() -> None:
    async with talking(OPENAI, Model(FIRST)) as talk:
        await talk.play(says("hello"))
    cost = talk.call.session.cost
    assert "gpt-realtime" in cost.unknown
    assert of_model(talk).dollars is None
    assert "unknown: gpt-realtime" in str(cost)


async def test_inference_is_billed_by_its_vendors_price_of_each_kind_of_token() -> None:
    async with talking(INFERENCE, Model(FIRST)) as talk:
        await talk.play(says("hello"))
    one = (20 * 4 + 60 * 32 + 40 * 0.4 + 12 * 16 + 38 * 64) / 1e6
    assert of_model(talk).dollars == pytest.approx(one)


async def test_gemini_is_billed_by_its_vendors_price() -> None:
    async with talking(GEMINI, Model(FIRST)) as talk:
        await talk.play(says("hello"))
    assert of_model(talk).dollars


async def test_a_response_of_which_the_server_says_nothing_is_said_to_be_uncounted() -> None:
    async with talking(OPENAI, Model(Answer(FIRST, fault="failed"), SECOND), faults=True) as talk:
        await talk.call.play(says("hello"), pauses(6.0))
        await talk.play(says("thank you"))
    cost = talk.call.session.cost
    assert (of_model(talk).requests, cost.uncounted) == (2, 1)


async def test_a_connection_that_is_paid_by_the_hour_is_paid_for_to_its_end() -> None:
    """xAI's plugin says how long it lasted when it is closed."""
    prices = {"grok-voice-latest": Price(hour=3600.0)}
    async with talking(XAI, Model(FIRST, SECOND), prices=prices) as talk:
        await talk.play(says("hello"))
        await talk.call.play(pauses(30.0))
        await talk.play(says("thank you"))
    (connection,) = talk.model.connections
    assert connection.closed is not None
    cost = of_model(talk)
    assert cost.dollars == pytest.approx(connection.closed - connection.opened, abs=0.5)
    assert cost.requests == 2
    told: list[Any] = [record.detail["dollars"] for record in talk.call.records("cost")]
    assert sum(told) == pytest.approx(cost.dollars)
