"""Model strings: `"local/…"` for the built-in engines, all others through LiveKit Inference.

Where `LOCAL_ONLY` is set, `loaded` puts a built-in engine in place of every model that is named,
and what was named is not looked at: no key, no plugin's library is needed.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from livekit.agents import NotGiven, NotGivenOr, inference, vad

from antiphon.nodes import local
from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from livekit.agents import llm, stt, tts

T = TypeVar("T")

LOCAL = "local/"
LOCAL_ONLY: ContextVar[bool] = ContextVar("antiphon.local_only", default=False)
KEYS: Final = "LIVEKIT_API_KEY and LIVEKIT_API_SECRET"


def loaded(load: Callable[[str], T], given: T | str | None) -> T | None:
    """The model for a slot: an object as it is, a string by `load`, None as None."""
    if given is None:
        return None
    if LOCAL_ONLY.get():
        return load(LOCAL)
    return load(given) if isinstance(given, str) else given


def loaded_if_given(
    load: Callable[[str], T], given: NotGivenOr[T | str | None]
) -> NotGivenOr[T | None]:
    """The same for a slot that may be left out."""
    return given if isinstance(given, NotGiven) else loaded(load, given)


def load_stt(model: str) -> stt.STT[Any]:
    """`"local/pocketsphinx"`, or `"provider/model[:language]"`."""
    if model.startswith(LOCAL):
        return local.local_stt(model.removeprefix(LOCAL))
    with _inference("stt", model):
        return inference.STT.from_model_string(model)


def load_tts(model: str) -> tts.TTS[Any]:
    """`"local/flite"`, `"local/espeak"`, or `"provider/model[:voice]"`."""
    if model.startswith(LOCAL):
        return local.local_tts(model.removeprefix(LOCAL))
    with _inference("tts", model):
        return inference.TTS.from_model_string(model)


def load_llm(model: str) -> llm.LLM[Any]:
    """`"local/brain"`, or `"provider/model"`."""
    if model.startswith(LOCAL):
        return local.local_llm(model.removeprefix(LOCAL))
    with _inference("llm", model):
        return inference.LLM.from_model_string(model)


def load_vad(model: str) -> vad.VAD:
    """`"local/webrtcvad"`; LiveKit Inference has no VAD by name."""
    if not model.startswith(LOCAL):
        raise UsageError(f'vad={model!r}: the built-in one is "local/webrtcvad", or pass a VAD')
    return local.local_vad(model.removeprefix(LOCAL))


def default_vad(given: NotGivenOr[vad.VAD | str | None]) -> vad.VAD | None:
    """The VAD asked for; the built-in one when none is named, None when None is given."""
    return loaded(load_vad, LOCAL if isinstance(given, NotGiven) else given)


@contextmanager
def _inference(slot: str, model: str) -> Iterator[None]:
    """Refuse what cannot be a name, and say plainly that a key is missing.

    The library would accept the first and fail in the first turn.
    """
    provider, _, name = model.partition("/")
    if not provider or not name:
        raise UsageError(
            f'{slot}={model!r} names no model: write "provider/model" (LiveKit Inference) '
            f'or "local/…" (built in)'
        )
    try:
        yield
    except ValueError as error:
        if "api_" not in str(error):
            raise UsageError(f"{slot}={model!r}: {error}") from error
        raise UsageError(
            f"{slot}={model!r} goes through LiveKit Inference, which needs {KEYS} in the "
            f"environment; `antiphon console --local` runs the built-in engines instead"
        ) from error
