"""What a model used is counted once, for each provider and model, and has its price."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.agents.metrics import LLMModelUsage

from antiphon import AgentSession, Price
from antiphon.conformance import PROVIDERS, Provider, named
from antiphon.conformance.checks import Waiter
from antiphon.conformance.talking import talking
from antiphon.conformance.wire import Reply, Server, Used
from antiphon.simulate import interrupts, listens, says

FIRST = Used(prompt=120, cached=40, out=9)
SECOND = Used(prompt=150, cached=60, out=7)


def used_by(session: AgentSession[Any]) -> LLMModelUsage:
    (usage,) = [each for each in session.usage.model_usage if isinstance(each, LLMModelUsage)]
    return usage


@pytest.mark.parametrize("row", [p for p in PROVIDERS if "usage" not in p.untried], ids=str)
async def test_tokens_have_the_price_of_their_kind(row: Provider) -> None:
    book = Reply("One moment.", calls=(("book", {"day": "Friday", "people": 4}),), used=FIRST)
    first = book if "tool" not in row.untried else Reply("One moment.", used=FIRST)
    server = Server(row.speaks(), first, Reply("It is done.", used=SECOND))
    async with talking(row, server, agent=Waiter(), prices={row.model: Price(1, 2, 0.5)}) as talk:
        await talk.call.play(says("a table for four on friday"), listens())
        if "tool" in row.untried:
            await talk.call.play(says("is it done"), listens())
    session = talk.call.session
    usage = used_by(session)
    assert usage.model == row.model
    assert usage.provider
    of_model = [each for each in session.cost.models if each.kind == "llm"]
    cached = usage.input_cached_tokens
    (cost,) = of_model
    assert (cost.requests, cost.uncounted) == (2, 0)
    assert cost.dollars == pytest.approx(
        ((270 - cached) + 0.5 * cached + 2 * usage.output_tokens) / 1e6
    )


async def test_a_reply_that_was_cut_is_said_to_be_uncounted() -> None:
    row = named("openai")
    async with talking(row, Server(row.speaks(), Reply(endless=True), "Fine.")) as talk:
        await talk.call.play(says("count for me"), interrupts("stop", into=3.0), listens())
    cost = talk.call.session.cost
    assert cost.uncounted == 1
    assert "not counted by the provider: 1 requests" in str(cost)


async def test_inference_is_billed_by_its_vendors_prices() -> None:
    row = named("livekit inference")
    reply = Reply("Of course.", used=Used(prompt=1_000_000, cached=0, out=1_000_000))
    async with talking(row, Server(row.speaks(), reply)) as talk:
        await talk.call.play(says("hello"), listens())
    (cost,) = [each for each in talk.call.session.cost.models if each.kind == "llm"]
    assert (cost.provider, cost.model) == ("livekit", "openai/gpt-4.1-mini")
    assert cost.dollars == pytest.approx(0.4 + 1.6)


async def test_a_budget_is_told_of_at_four_fifths_and_ends_the_call_when_it_is_spent() -> None:
    row = named("openai")
    server = Server(row.speaks(), *[Reply(f"Answer {n}.", used=Used(50, 0, 0)) for n in range(9)])
    prices = {row.model: Price(input=1e6)}  # a dollar a token
    told: list[Any] = []
    async with talking(row, server, prices=prices, budget=100.0) as talk:
        talk.call.session.on("budget_spent", told.append)
        await talk.call.play(says("one"), listens())
        assert told == []
        await talk.call.play(says("two"), listens())
    assert [(event.dollars, event.over) for event in told] == [(100.0, True)]
    assert talk.call.said("agent") == ["Answer 0.", "Answer 1."]  # it may say what it has begun
    assert talk.call.closed_by_agent


async def test_four_fifths_of_a_budget_end_nothing() -> None:
    row = named("openai")
    server = Server(row.speaks(), *[Reply(f"Answer {n}.", used=Used(42, 0, 0)) for n in range(9)])
    told: list[Any] = []
    prices = {row.model: Price(input=1e6)}
    async with talking(row, server, prices=prices, budget=100.0) as talk:
        talk.call.session.on("budget_spent", told.append)
        await talk.call.play(says("one"), listens(), says("two"), listens())
    assert [(event.dollars, event.over) for event in told] == [(84.0, False)]
    assert not talk.call.closed_by_agent


async def test_a_prepared_answer_is_counted_too() -> None:
    row = named("openai")
    server = Server(row.speaks(), script=lambda _: Reply("Yes."))
    async with talking(row, server, turn_handling={}) as talk:
        await talk.call.play(says("hello"), listens())
    usage = used_by(talk.call.session)
    assert usage.input_tokens == 120 * len(talk.asked)
