"""What a session costs: by the vendors' prices, by one's own, and never guessed."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.agents import metrics
from livekit.agents.metrics.base import Metadata

from antiphon import AgentSession, ArgumentError
from antiphon.costs import Costs, Price
from antiphon.nodes.inference_models import DOCUMENTED

pytest.importorskip("genai_prices", reason="genai-prices: pip install -e .")

MILLION = 1_000_000


def request(
    provider: str, model: str, prompt: int, out: int = 0, cached: int = 0, **more: Any
) -> metrics.LLMMetrics:
    return metrics.LLMMetrics(
        label="",
        request_id="",
        timestamp=0.0,
        duration=1.0,
        ttft=0.1,
        cancelled=False,
        completion_tokens=out,
        prompt_tokens=prompt,
        prompt_cached_tokens=cached,
        total_tokens=prompt + out,
        tokens_per_second=1.0,
        metadata=Metadata(model_name=model, model_provider=provider),
        **more,
    )


def speech(provider: str, model: str, characters: int, seconds: float) -> metrics.TTSMetrics:
    return metrics.TTSMetrics(
        label="",
        request_id="",
        timestamp=0.0,
        ttfb=0.1,
        duration=1.0,
        audio_duration=seconds,
        cancelled=False,
        characters_count=characters,
        streamed=False,
        metadata=Metadata(model_name=model, model_provider=provider),
    )


def cost_of(*reports: Any, **prices: Price) -> Any:
    costs = Costs(prices)
    for report in reports:
        costs.note(report)
    return costs.summary()


PUBLISHED = [
    ("livekit", "openai/gpt-4o", 2.5 + 10.0),
    ("api.openai.com", "gpt-4o", 2.5 + 10.0),
    ("livekit", "openai/gpt-4.1-mini", 0.4 + 1.6),
    ("api.anthropic.com", "claude-sonnet-4-6", 3.0 + 15.0),
    ("livekit", "google/gemini-2.5-flash-lite", 0.1 + 0.4),
]


@pytest.mark.parametrize(("provider", "model", "dollars"), PUBLISHED)
def test_a_million_tokens_each_way_cost_what_the_vendor_asks(
    provider: str, model: str, dollars: float
) -> None:
    assert cost_of(request(provider, model, MILLION, MILLION)).dollars == pytest.approx(dollars)


def test_cached_tokens_cost_less() -> None:
    whole = cost_of(request("api.openai.com", "gpt-4o", MILLION))
    half = cost_of(request("api.openai.com", "gpt-4o", MILLION, cached=MILLION))
    assert half.dollars == pytest.approx(whole.dollars / 2)


def test_each_request_is_counted_by_its_own_length() -> None:
    """Above 200,000 tokens a request is dearer; many short ones are not."""
    many = cost_of(*[request("Gemini", "gemini-2.5-pro", 100_000)] * 4)
    one = cost_of(request("Gemini", "gemini-2.5-pro", 400_000))
    assert many.dollars == pytest.approx(one.dollars / 2)
    assert many.models[0].requests == 4


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_every_model_of_the_documentation_has_a_price(name: str) -> None:
    cost = cost_of(request("livekit", name, MILLION, MILLION))
    assert cost.unknown == ()
    assert 0.1 < cost.dollars < 40


def test_a_price_that_nobody_knows_is_unknown_and_not_guessed() -> None:
    cost = cost_of(
        request("api.openai.com", "gpt-4o", MILLION),
        request("somewhere.example", "a-model", MILLION),
        speech("Cartesia", "sonic-3", 100, 6.0),
    )
    assert cost.unknown == ("a-model", "sonic-3")
    assert cost.dollars == pytest.approx(2.5)
    assert str(cost) == "$2.5000; unknown: a-model; unknown: sonic-3"


def test_a_model_that_the_table_lists_at_nothing_is_unknown() -> None:
    assert cost_of(request("api.openai.com", "tts-1", MILLION)).unknown == ("tts-1",)


def test_ones_own_prices_come_first() -> None:
    prices = {
        "a-model": Price(input=1.0, output=2.0, cached=0.5),
        "Cartesia/sonic-3": Price(characters=40.0),
        "by-the-hour": Price(hour=3.6),
    }
    cost = cost_of(
        request("somewhere.example", "a-model", MILLION, MILLION, cached=MILLION // 2),
        speech("Cartesia", "sonic-3", 1000, 60.0),
        speech("Other", "by-the-hour", 1000, 60.0),
        **prices,
    )
    assert cost.unknown == ()
    assert [each.dollars for each in cost.models] == pytest.approx([2.75, 0.04, 0.06])


def test_engines_on_this_machine_cost_nothing() -> None:
    cost = cost_of(request("antiphon", "local/brain", 100, 5))
    assert (cost.dollars, cost.unknown) == (0.0, ())


def test_a_cut_reply_that_the_provider_did_not_count_is_said() -> None:
    cost = cost_of(request("api.openai.com", "gpt-4o", 0, 0))
    assert cost.uncounted == 1
    assert cost.unknown == ()
    assert str(cost) == "$0.0000; not counted by the provider: 1 requests"


@pytest.mark.parametrize("prices", [[], {"a-model": 2.5}, {"a-model": {"input": 1}}])
def test_prices_that_are_no_table_are_refused(prices: Any) -> None:
    with pytest.raises(ArgumentError, match="prices"):
        AgentSession(prices=prices)


@pytest.mark.parametrize("budget", [0, -1.0, "1 $", True])
def test_a_budget_that_is_no_sum_is_refused(budget: Any) -> None:
    with pytest.raises(ArgumentError, match="budget"):
        AgentSession(budget=budget)
