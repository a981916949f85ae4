"""What a session costs: by the vendors' prices, by one's own, and never guessed."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.agents import llm, metrics
from livekit.agents.metrics.base import Metadata

from antiphon import Agent, AgentSession, ArgumentError
from antiphon.costs import Costs, Price
from antiphon.nodes.inference_models import DOCUMENTED
from antiphon.screen_names import paid
from antiphon.simulate import OWN, Call, hesitates, leaves, listens, says, simulate
from antiphon.simulated_models import ScriptedLLM, ScriptedTTS, Thinking

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


def spoken(
    provider: str, model: str, *, heard: int = 0, said: int = 0, **more: Any
) -> metrics.RealtimeModelMetrics:
    """A response of a realtime model's: tokens of sound."""
    kind = metrics.RealtimeModelMetrics
    return kind(
        request_id="response",
        timestamp=0.0,
        duration=1.0,
        input_tokens=heard,
        output_tokens=said,
        total_tokens=heard + said,
        input_token_details=kind.InputTokenDetails(audio_tokens=heard),
        output_token_details=kind.OutputTokenDetails(audio_tokens=said),
        metadata=Metadata(model_name=model, model_provider=provider),
        **more,
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


SPOKEN = [
    ("livekit", "openai/gpt-realtime", 32.0 + 64.0),
    ("api.openai.com", "gpt-realtime", 32.0 + 64.0),
    ("Gemini", "gemini-3.8-live", 3.0 + 12.0),
]


@pytest.mark.parametrize(("provider", "model", "dollars"), SPOKEN)
def test_a_million_tokens_of_sound_each_way_cost_what_the_vendor_asks(
    provider: str, model: str, dollars: float
) -> None:
    cost = cost_of(spoken(provider, model, heard=MILLION, said=MILLION))
    assert cost.dollars == pytest.approx(dollars)
    assert cost.models[0].requests == 1


def test_a_model_that_is_paid_by_the_hour_is_paid_for_its_hours_and_no_token() -> None:
    hour = spoken("api.x.ai", "grok-voice-latest", session_duration=3600.0)
    response = spoken("api.x.ai", "grok-voice-latest", heard=MILLION, said=MILLION)
    cost = cost_of(response, hour)
    assert cost.unknown == ()
    assert cost.dollars == pytest.approx(4.8)
    assert cost.models[0].requests == 1


def test_sound_that_ones_own_price_does_not_name_costs_as_text() -> None:
    response = spoken("somewhere", "a-model", heard=MILLION, said=MILLION)
    assert cost_of(response, **{"a-model": Price(input=1.0, output=2.0)}).dollars == 3.0
    named = Price(input=1.0, output=2.0, audio_input=10.0, audio_output=20.0)
    assert cost_of(response, **{"a-model": named}).dollars == 30.0


def test_a_connection_that_has_only_begun_is_no_request() -> None:
    begun = spoken("api.openai.com", "gpt-realtime").model_copy(update={"duration": 0.0})
    assert cost_of(begun).models == ()


def test_a_response_of_which_nothing_is_said_is_uncounted() -> None:
    cost = cost_of(spoken("api.openai.com", "gpt-realtime"))
    assert (cost.models[0].requests, cost.uncounted) == (1, 1)


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


class Counting(ScriptedLLM):
    """Says what it used: a hundred tokens in, ten out."""

    model = "a-model"
    provider = "somewhere.example"

    def chat(self, **options: Any) -> llm.LLMStream:
        self.asked.append(options["chat_ctx"])
        context, tools = options["chat_ctx"], options.get("tools") or []
        common = {"chat_ctx": context, "tools": tools, "conn_options": options["conn_options"]}
        return Counted(self, self._answer(context), **common)


class Counted(Thinking):
    async def _run(self) -> None:
        await super()._run()
        used = llm.CompletionUsage(prompt_tokens=100, completion_tokens=10, total_tokens=110)
        self._event_ch.send_nowait(llm.ChatChunk(id="scripted", usage=used))


DEAR = {"a-model": Price(input=10_000.0, output=100_000.0)}  # $1 and $1 a request
DRAFTED = says("a soup", hesitates(0.4), "and a pie")


def held(*acts: Any, **more: Any) -> Call:
    model = Counting(lambda _: "Yes.", first_token=0.02)
    agent = Agent(instructions="", llm=model, tts=ScriptedTTS())
    return simulate(agent, acts, llm=OWN, tts=OWN, prices=DEAR, **more)


def test_what_was_thrown_away_is_counted_apart() -> None:
    call = held(DRAFTED, listens())
    usage, cost = call.session.usage, call.session.cost
    (whole,) = [each for each in usage.model_usage if isinstance(each, metrics.LLMModelUsage)]
    (thrown,) = [each for each in usage.thrown_away if isinstance(each, metrics.LLMModelUsage)]
    drafts = thrown.input_tokens // 100
    assert drafts >= 1
    assert whole.input_tokens == 100 * (drafts + 1)
    assert thrown.output_tokens == 10 * drafts
    assert cost.thrown_away == pytest.approx(2.0 * drafts)
    assert cost.dollars == pytest.approx(2.0 * (drafts + 1))
    assert "of it thrown away: $" in str(cost)


def test_an_answer_that_was_prepared_and_let_out_was_not_thrown_away() -> None:
    call = held(says("a soup"), listens())
    assert call.session.usage.thrown_away == []
    assert call.session.cost.thrown_away == 0.0


def test_each_turn_says_what_it_cost_and_together_that_is_all() -> None:
    call = held(says("one"), listens(), DRAFTED, listens(), says("three"), listens())
    told = call.records("cost")
    assert [record.turn for record in told] == [1, 2, 3]
    assert [record.detail["parts"].keys() for record in told] == [  # type: ignore[attr-defined]
        {"model"},
        {"model", "thrown away"},
        {"model"},
    ]
    assert sum(record.detail["dollars"] for record in told) == pytest.approx(  # type: ignore[misc]
        call.session.cost.dollars
    )
    assert told[-1].detail["so_far"] == pytest.approx(call.session.cost.dollars)


def test_what_was_not_told_of_is_told_at_the_end() -> None:
    call = held(says("one"), listens(), says("a soup", hesitates(0.4), "and a pie"), leaves())
    told = sum(record.detail["dollars"] for record in call.records("cost"))  # type: ignore[misc]
    assert told == pytest.approx(call.session.cost.dollars)


def test_a_price_that_is_not_known_is_said_in_its_turn() -> None:
    model = Counting(lambda _: "Yes.")
    agent = Agent(instructions="", llm=model, tts=ScriptedTTS())
    call = simulate(agent, [says("one"), listens()], llm=OWN, tts=OWN)
    (told,) = call.records("cost")
    assert (told.detail["dollars"], told.detail["unknown"]) == (0.0, ["a-model"])


def test_engines_on_this_machine_are_not_told_of() -> None:
    agent = Agent(instructions="", llm=ScriptedLLM(["Yes."]), tts=ScriptedTTS())
    call = simulate(agent, [says("one"), listens()], llm=OWN, tts=OWN)
    assert call.records("cost") == []


def test_the_consoles_line_says_what_a_turn_cost() -> None:
    call = held(says("one"), listens(), DRAFTED, listens())
    first, second = [paid(record) for record in call.records("cost")]
    assert first == "cost $2.0000, so far $2.0000"
    assert second == "cost $4.0000 = model 2.0000 + thrown away 2.0000, so far $6.0000"
