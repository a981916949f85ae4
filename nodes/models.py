"""Model strings: `"local/…"` for the built-in engines, all others through LiveKit Inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents import NotGivenOr, inference, vad

from antiphon.nodes import local
from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from livekit.agents import llm, stt, tts

LOCAL = "local/"


def load_stt(model: str) -> stt.STT[Any]:
    """`"local/pocketsphinx"`, or `"provider/model[:language]"`."""
    if model.startswith(LOCAL):
        return local.local_stt(model.removeprefix(LOCAL))
    return inference.STT.from_model_string(_named("stt", model))


def load_tts(model: str) -> tts.TTS[Any]:
    """`"local/flite"`, `"local/espeak"`, or `"provider/model[:voice]"`."""
    if model.startswith(LOCAL):
        return local.local_tts(model.removeprefix(LOCAL))
    return inference.TTS.from_model_string(_named("tts", model))


def load_llm(model: str) -> llm.LLM[Any]:
    """`"local/brain"`, or `"provider/model"`."""
    if model.startswith(LOCAL):
        return local.local_llm(model.removeprefix(LOCAL))
    return inference.LLM.from_model_string(_named("llm", model))


def load_vad(model: str) -> vad.VAD:
    """`"local/webrtcvad"`; LiveKit Inference has no VAD by name."""
    if not model.startswith(LOCAL):
        raise UsageError(f'vad={model!r}: the built-in one is "local/webrtcvad", or pass a VAD')
    return local.local_vad(model.removeprefix(LOCAL))


def default_vad(given: NotGivenOr[vad.VAD | str | None]) -> vad.VAD | None:
    """The VAD asked for; the built-in one when none is named, None when None is given."""
    if given is None:
        return None
    if isinstance(given, vad.VAD):
        return given
    return load_vad(given or LOCAL)


def _named(slot: str, model: str) -> str:
    """Refuse what cannot be a name; the library would accept it and fail in the first turn."""
    provider, _, name = model.partition("/")
    if not provider or not name:
        raise UsageError(
            f'{slot}={model!r} names no model: write "provider/model" (LiveKit Inference) '
            f'or "local/…" (built in)'
        )
    return model
