"""What a session's models cost, in dollars: each request by itself, for prices have steps.

Prices are the vendors' (of `genai-prices`), or one's own; what neither knows is unknown, and said.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import llm

from antiphon.pipeline.errors import ArgumentError
from antiphon.used import Used, used_by

if TYPE_CHECKING:
    from livekit.agents.metrics import AgentMetrics

logger = logging.getLogger("antiphon.costs")

MARKS: Final = (0.8, 1.0)  # of a budget
MILLION: Final = 1_000_000
HOUR: Final = 3_600
HERE: Final = {"antiphon", "local"}  # engines on this machine

# Who serves a model whose provider is said by name; others say their address.
PROVIDERS: Final = {
    "AWS Bedrock": "aws",
    "Baseten": "baseten",
    "Cerebras": "cerebras",
    "Gemini": "google",
    "MistralAI": "mistral",
    "Perplexity": "perplexity",
    "Vertex AI": "google",
}
# Models of LiveKit Inference under the names of who serves them; the rest is by its first part.
INFERENCE: Final = {
    "openai/gpt-oss-120b": ("baseten", "openai/gpt-oss-120b"),
    "qwen/qwen3-235b-a22b-instruct": ("openrouter", "qwen/qwen3-235b-a22b-2507"),
    "moonshotai/kimi-k2-instruct": ("moonshotai", "kimi-k2-0905-preview"),
    "deepseek-ai/deepseek-v3": ("openrouter", "deepseek/deepseek-chat-v3-0324"),
    "zai/glm-5.1": ("zai", "GLM-5.1"),
}
INFERENCE_PROVIDERS: Final = {
    "openai": "openai",
    "google": "google",
    "moonshotai": "moonshotai",
    "deepseek-ai": "deepseek",
    "xai": "x-ai",
}


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens in, a million of them cached, a million out, a million
    characters, and an hour of audio or of a connection. `cached` left out costs as any other, and
    a kind of audio that is left out costs as text."""

    input: float = 0.0
    output: float = 0.0
    cached: float | None = None
    characters: float = 0.0
    hour: float = 0.0
    audio_input: float | None = None
    audio_output: float | None = None
    audio_cached: float | None = None

    def of(self, used: Used) -> float:
        """Dollars for one request."""
        heard, spoken = used.sound.heard, used.sound.spoken
        known = used.sound.cached
        audio_in = _or(self.audio_input, self.input)
        cached = _or(self.cached, self.input)
        audio_cached = _or(self.audio_cached, _or(self.cached, audio_in))
        tokens = (used.prompt - heard - (used.cached - known)) * self.input
        tokens += (heard - known) * audio_in
        tokens += (used.cached - known) * cached + known * audio_cached
        tokens += (used.out - spoken) * self.output + spoken * _or(self.audio_output, self.output)
        tokens += used.characters * self.characters
        return tokens / MILLION + used.seconds * self.hour / HOUR


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What one model cost; `dollars` is None where its price is not known."""

    kind: str
    provider: str
    model: str
    dollars: float | None
    requests: int
    uncounted: int  # requests of which the provider did not say what they used


@dataclass(frozen=True, slots=True)
class SessionCost:
    """What a session cost so far: `dollars` of the models whose price is known."""

    models: tuple[ModelCost, ...]
    thrown_away: float = 0.0  # of the dollars: for answers of which nobody heard a word

    @property
    def dollars(self) -> float:
        """Of all models whose price is known."""
        return sum(each.dollars or 0.0 for each in self.models)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The models that `dollars` leaves out."""
        return tuple(each.model or each.provider for each in self.models if each.dollars is None)

    @property
    def uncounted(self) -> int:
        """Requests that `dollars` leaves out, because nobody said what they used."""
        return sum(each.uncounted for each in self.models)

    def __str__(self) -> str:
        parts = [f"${self.dollars:.4f}"]
        if self.thrown_away:
            parts.append(f"of it thrown away: ${self.thrown_away:.4f}")
        parts += [f"unknown: {name}" for name in self.unknown]
        if self.uncounted:
            parts.append(f"not counted by the provider: {self.uncounted} requests")
        return "; ".join(parts)


class Costs:
    """Mutable state: the requests so far, with how many were alike, those of them that were thrown
    away, and the last mark of the budget that was told of."""

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = prices
        self._requests: Counter[Used] = Counter()
        self._thrown_away: Counter[Used] = Counter()
        self._mark = 0.0

    def note(self, report: AgentMetrics) -> Used | None:
        """Count a request; what it used, where it has a price."""
        if (used := used_by(report)) is not None:
            self._requests[used] += 1
        return used

    def throw_away(self, report: AgentMetrics) -> None:
        """A request that was counted was for an answer of which nobody heard a word."""
        if (used := used_by(report)) is not None:
            self._thrown_away[used] += 1

    def over(self, budget: float | None) -> float | None:
        """The part of the budget that is spent, when it has come to a mark since last asked."""
        if budget is None:
            return None
        spent = self.summary().dollars / budget
        passed = [mark for mark in MARKS if mark <= spent and mark > self._mark]
        if not passed:
            return None
        self._mark = passed[-1]
        return spent

    def summary(self) -> SessionCost:
        found: dict[tuple[str, str, str], ModelCost] = {}
        for used, times in self._requests.items():
            key = used.kind, used.provider, used.model
            one = self.dollars(used)
            known = found.get(key) or ModelCost(*key, 0.0, 0, 0)
            dollars = None if one is None or known.dollars is None else known.dollars + one * times
            found[key] = ModelCost(
                *key,
                dollars,
                known.requests + (0 if used.lasted else times),
                known.uncounted + (0 if used.told else times),
            )
        thrown_away = [(self.dollars(used) or 0.0) * n for used, n in self._thrown_away.items()]
        return SessionCost(tuple(found.values()), sum(thrown_away))

    def dollars(self, used: Used) -> float | None:
        """What one request cost; None where its price is not known."""
        for name in (f"{used.provider}/{used.model}", used.model):
            if name in self._prices:
                return self._prices[name].of(used)
        if used.provider in HERE or not used.told:
            return 0.0
        return _vendors(used) if used.kind == "llm" else None


def check_prices(given: object) -> Mapping[str, Price]:
    """What `prices=` was given; ArgumentError unless it is a table."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ArgumentError(f"prices={given!r}: write {{'model': Price(input=…, output=…)}}")
    for name, price in given.items():
        if not isinstance(price, Price):
            raise ArgumentError(f"prices[{name!r}]={price!r}: write Price(input=…, output=…)")
    return given


def check_budget(given: object) -> float | None:
    """What `budget=` was given; ArgumentError unless it is a sum of dollars."""
    if given is None:
        return None
    if isinstance(given, int | float) and not isinstance(given, bool) and given > 0:
        return float(given)
    raise ArgumentError(f"budget={given!r}: write dollars, a number above 0")


def _or(price: float | None, otherwise: float) -> float:
    return otherwise if price is None else price


def has_vendor(model: object) -> bool:
    """Whether a model may have to be looked up in the vendors' prices."""
    if isinstance(model, llm.FallbackAdapter | llm.RealtimeModelFallbackAdapter):
        return True  # whose, it does not say
    minds = llm.LLM, llm.RealtimeModel
    return isinstance(model, minds) and _served(model.provider, model.model) is not None


def load_prices() -> None:
    """Load the vendors' prices: a second, which no turn should wait for."""
    _vendors(Used("llm", "livekit", "openai/gpt-4o", prompt=1))


def _vendors(used: Used) -> float | None:
    """By the vendors' prices; None where they are not known."""
    from genai_prices import Usage, calc_price  # a second of loading, for who asks

    asked = Usage(
        input_tokens=used.prompt,
        cache_read_tokens=used.cached,
        cache_write_tokens=used.written,
        output_tokens=used.out,
        **_kinds(used),
    )
    where = _served(used.provider, used.model)
    if where is None:
        return None
    try:
        found = calc_price(asked, **where)
    except LookupError:
        return None
    # Nothing for something is a price that is not known, but of what is free by its name, and of
    # what is paid by the hour.
    hourly = not used.seconds and bool(getattr(found.model_price, "audio_hours", None))
    free = hourly or str(found.model.id).endswith(":free")
    return float(found.total_price) if found.total_price or free else None


def _kinds(used: Used) -> dict[str, Any]:
    """What is not text of it, by the names of `genai-prices`."""
    sound = used.sound
    kinds = {
        "input_audio_tokens": sound.heard,
        "cache_audio_read_tokens": sound.cached,
        "output_audio_tokens": sound.spoken,
        "input_image_tokens": sound.pictures,
        "cache_image_read_tokens": sound.pictures_cached,
        "audio_seconds": used.seconds,
    }
    return {name: value for name, value in kinds.items() if value}


@cache
def _served(provider: str, model: str) -> dict[str, Any] | None:
    """Where `genai-prices` has a model."""
    if provider == "livekit":
        first, _, rest = model.partition("/")
        if model not in INFERENCE and first not in INFERENCE_PROVIDERS:
            return None
        who, name = INFERENCE.get(model) or (INFERENCE_PROVIDERS[first], rest)
        return {"provider_id": who, "model_ref": name}
    if provider in PROVIDERS:
        return {"provider_id": PROVIDERS[provider], "model_ref": model}
    if "." in provider:
        return {"provider_api_url": f"https://{provider}", "model_ref": model}
    return None
