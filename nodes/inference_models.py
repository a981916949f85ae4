"""What we know of LiveKit Inference's models by name, and what cannot be a name.

Its client takes any string, even an empty one, and fails in the first turn.
"""

from __future__ import annotations

import difflib
import logging
import os
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_args

from livekit.agents import inference, llm
from livekit.agents.inference.llm import drop_unsupported_params, min_reasoning_effort

from antiphon.pipeline.errors import UsageError

logger = logging.getLogger("antiphon.inference")

_OPENAI: Final = ("azure", "openai")
_GOOGLE: Final = ("google",)
_BASETEN: Final = ("baseten",)

# Of the documentation's page, with who serves them.
DOCUMENTED: Final[dict[str, tuple[str, ...]]] = {
    "openai/gpt-4o": _OPENAI,
    "openai/gpt-4o-mini": _OPENAI,
    "openai/gpt-4.1": _OPENAI,
    "openai/gpt-4.1-mini": _OPENAI,
    "openai/gpt-4.1-nano": _OPENAI,
    "openai/gpt-5": _OPENAI,
    "openai/gpt-5-mini": _OPENAI,
    "openai/gpt-5-nano": _OPENAI,
    "openai/gpt-oss-120b": ("baseten", "groq", "cerebras"),
    "google/gemini-2.5-pro": _GOOGLE,
    "google/gemini-2.5-flash": _GOOGLE,
    "google/gemini-2.5-flash-lite": _GOOGLE,
    "google/gemini-2.0-flash": _GOOGLE,
    "google/gemini-2.0-flash-lite": _GOOGLE,
    "qwen/qwen3-235b-a22b-instruct": _BASETEN,
    "moonshotai/kimi-k2-instruct": _BASETEN,
    "deepseek-ai/deepseek-v3": _BASETEN,
}
SERVING: Final = frozenset(who for served_by in DOCUMENTED.values() for who in served_by)
# Text only; the names begin so. Of a model that is in no table nothing is known.
_BLIND: Final = ("openai/gpt-oss", "qwen/qwen3-235b", "moonshotai/kimi-k2-", "deepseek-ai/", "zai/")
# The same of any provider's: models by their last name, and whole clients that send text only.
BLIND: Final = (
    *("gpt-oss", "qwen3-235b", "kimi-k2-instruct", "gpt-3.5"),
    *("deepseek-chat", "deepseek-reasoner", "deepseek-v3", "deepseek-r1"),
)
TEXT_ONLY: Final = ("antiphon.nodes.local", "livekit.plugins.langchain")
_INSTALLED: Final = {
    "llm": inference.LLMModels,
    "stt": inference.STTModels,
    "tts": inference.TTSModels,
}
_FURTHER: Final = {"tts": {"elevenlabs"}}  # providers of which the client lists no model


@dataclass(frozen=True, slots=True)
class Known:
    """A model; None where it is not known."""

    name: str
    served_by: tuple[str, ...]  # empty: not said
    images: bool | None  # it takes them
    tools: bool | None
    temperature: bool  # it takes one; else the client leaves it out
    least_effort: str | None  # of reasoning; None: it has no such setting


def known(name: str) -> Known:
    """What is known of a language model by its name."""
    listed = name in names("llm")
    return Known(
        name=name,
        served_by=DOCUMENTED.get(name, ()),
        images=not name.startswith(_BLIND) if listed else None,
        tools=True if listed else None,
        temperature=not dropped(name, {"temperature": 0.0}),
        least_effort=min_reasoning_effort(name),
    )


@cache
def names(slot: str) -> frozenset[str]:
    """All that we know for "llm", "stt" or "tts": the documentation's, and the client's."""
    return frozenset(_flat(_INSTALLED[slot])) | (DOCUMENTED.keys() if slot == "llm" else set())


def takes_images(model: llm.LLM[Any]) -> bool | None:
    """Whether a language model takes images, by its name; None where that is not known."""
    if isinstance(model, inference.LLM):
        return known(model.model).images
    module, name = type(model).__module__, model.model.rpartition("/")[2].lower()
    blind = module.startswith(TEXT_ONLY) or name.startswith(BLIND)
    return False if blind else None


def check(slot: str, model: str) -> None:
    """UsageError for what cannot be a model, with the nearest that is; a warning for a model that
    nobody has heard of, once."""
    if not os.environ.get("LIVEKIT_INFERENCE_URL", "unset").strip():
        raise UsageError(
            f"{slot}={model!r}: LIVEKIT_INFERENCE_URL is empty; unset it, or write an address"
        )
    name = model.partition(":")[0]  # a language or a voice may follow
    if name in names(slot):
        return
    if slot == "llm" and (inference.is_realtime_model(name) or inference.is_duplex_model(name)):
        return
    provider, _, rest = name.partition("/")
    if not provider or not rest:
        raise UsageError(
            f'{slot}={model!r} names no model: write "provider/model" (LiveKit Inference) '
            f'or "local/…" (built in){_nearest(slot, name)}'
        )
    if provider not in _providers(slot):
        raise UsageError(
            f"{slot}={model!r}: LiveKit Inference has no provider {provider!r}"
            f"{_nearest(slot, name)}"
        )
    _warn_of_new(slot, name)


def check_provider(provider: str | None) -> None:
    """UsageError for a provider that serves no model of LiveKit Inference."""
    if provider is not None and provider not in SERVING:
        listed = ", ".join(sorted(SERVING))
        raise UsageError(f"provider={provider!r}: there is none; write one of {listed}")


def dropped(model: str, given: dict[str, Any], tools: list[Any] | None = None) -> list[str]:
    """The parameters of these that the client leaves out, because the model refuses them."""
    return sorted(given.keys() - drop_unsupported_params(model, dict(given), tools).keys())


def missing_keys() -> list[str]:
    """The variables that have still to be set."""
    return [
        f"LIVEKIT_{key}"
        for key in ("API_KEY", "API_SECRET")
        if not os.environ.get(f"LIVEKIT_INFERENCE_{key}", os.environ.get(f"LIVEKIT_{key}"))
    ]


@cache
def _warn_of_new(slot: str, name: str) -> None:
    logger.warning(
        "%s=%r is a model that this version does not know; it is asked for all the same%s",
        slot,
        name,
        _nearest(slot, name),
    )


def _nearest(slot: str, name: str) -> str:
    """What may have been meant, to be added to a sentence."""
    bare = {each.rpartition("/")[2]: each for each in sorted(names(slot))}
    near = difflib.get_close_matches(name, names(slot), n=3, cutoff=0.75)
    near += [bare[each] for each in difflib.get_close_matches(name, bare, n=3, cutoff=0.75)]
    near = list(dict.fromkeys(near))[:3]
    return f"; near it: {', '.join(near)}" if near else ""


@cache
def _providers(slot: str) -> frozenset[str]:
    listed = {name.partition("/")[0] for name in names(slot)}
    return frozenset(listed | _FURTHER.get(slot, set()))


def _flat(literal: Any) -> list[str]:
    """The strings of a Literal, or of a Union of them."""
    found = []
    for each in get_args(literal):
        found += [each] if isinstance(each, str) else _flat(each)
    return found
