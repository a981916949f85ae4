"""Model strings: `"local/…"` for the built-in engines, all others through LiveKit Inference.

Where `LOCAL_ONLY` is set, a `Slot` puts a built-in engine in place of every model that is named,
and what was named is not looked at: no key, no plugin's library is needed.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast
from weakref import WeakSet

from livekit.agents import NotGiven, NotGivenOr, inference, llm, stt, tts, vad

from antiphon.nodes import inference_llm, inference_models, local
from antiphon.pipeline.errors import ArgumentError, NodeUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
Mind = llm.LLM[Any] | llm.RealtimeModel

LOCAL = "local/"
LOCAL_ONLY: ContextVar[bool] = ContextVar("antiphon.local_only", default=False)
IN_WRITING: ContextVar[bool] = ContextVar("antiphon.in_writing", default=False)
"""Nobody speaks: a built-in recogniser or voice that is not installed is done without."""
SPOKEN_TO: Final[WeakSet[llm.LLM[Any]]] = WeakSet()
"""Built-in models in place of realtime ones: they need a recogniser and a voice beside them."""


@dataclass(frozen=True, slots=True)
class Slot(Generic[T]):
    """A place for a model, by the argument that fills it."""

    name: str
    kind: type[Any]  # T, which is abstract
    load: Callable[[str], T]
    others: tuple[type[Any], ...] = ()  # that may stand in this place too

    @property
    def taken(self) -> tuple[type[Any], ...]:
        return (self.kind, *self.others)

    def loaded(self, given: object) -> T | None:
        """The model for the slot: an object as it is, a string by `load`, None as None.

        ArgumentError for what is no such model, with what to write instead.
        """
        if given is None or isinstance(given, NotGiven):
            return None
        if LOCAL_ONLY.get():
            engine = self._built_in(LOCAL)
            if isinstance(engine, llm.LLM) and _spoken_to(given):
                SPOKEN_TO.add(engine)
            return engine
        if isinstance(given, str):
            return self._built_in(given) if given.startswith(LOCAL) else self.load(given)
        if isinstance(given, llm.DuplexModel) and isinstance(given, self.taken):
            return cast("T", llm.DuplexRealtimeAdapter(given))
        if isinstance(given, self.taken):
            if isinstance(given, inference.LLM | inference.STT | inference.TTS):
                inference_models.check(self.name, given.model)
            return cast("T", given)
        raise ArgumentError(f"{self.name}={_shown(given)}: {self._instead(given)}")

    def loaded_if_given(self, given: object) -> NotGivenOr[T | None]:
        """The same for a slot that may be left out, which means another thing than None."""
        return given if isinstance(given, NotGiven) else self.loaded(given)

    def _built_in(self, name: str) -> T | None:
        try:
            return self.load(name)
        except NodeUnavailable:
            if not IN_WRITING.get():
                raise
            return None

    def _instead(self, given: object) -> str:
        if isinstance(given, ModuleType):
            name = given.__name__.rpartition(".")[2]
            return f"that is a module; write {self.name}={name}.{self.kind.__name__}(…)"
        if isinstance(given, type) and issubclass(given, self.taken):
            return f"that is the class; write {self.name}={given.__name__}(…)"
        kind = given if isinstance(given, type) else type(given)
        for slot in SLOTS:
            if issubclass(kind, slot.taken):
                return f"that one is for another slot; write it as {slot.name}="
        return f'write {self.kind.__name__}, "provider/model", or "local/…" (built in)'


def _spoken_to(given: object) -> bool:
    if isinstance(given, str):
        return inference.is_duplex_model(given) or inference.is_realtime_model(given)
    return isinstance(given, llm.RealtimeModel | llm.DuplexModel)


def _shown(given: object) -> str:
    return given.__name__ if isinstance(given, type | ModuleType) else repr(given)


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


def load_llm(model: str) -> Mind:
    """`"local/brain"`, or `"provider/model"`, which may be a realtime model."""
    if model.startswith(LOCAL):
        return local.local_llm(model.removeprefix(LOCAL))
    with _inference("llm", model):
        if inference.is_duplex_model(model):
            return llm.DuplexRealtimeAdapter(inference.DuplexModel(model))
        if inference.is_realtime_model(model):
            return inference.RealtimeModel.from_model_string(model)
        return inference_llm.LLM.from_model_string(model)


def load_vad(model: str) -> vad.VAD:
    """`"local/webrtcvad"`; LiveKit Inference has no VAD by name."""
    if not model.startswith(LOCAL):
        raise UsageError(f'vad={model!r}: the built-in one is "local/webrtcvad", or pass a VAD')
    return local.local_vad(model.removeprefix(LOCAL))


def seeing(engine: T, context: llm.ChatContext | None = None, vision: object = None) -> T:
    """The language model; UsageError where it takes no images and is given some."""
    if not isinstance(engine, llm.LLM) or inference_models.takes_images(engine) is not False:
        return engine
    if vision is not None:
        raise UsageError(f"{engine.model} takes no images, and vision= gives it one each turn")
    messages = context.messages() if context is not None else []
    if any(isinstance(part, llm.ImageContent) for each in messages for part in each.content):
        raise UsageError(f"{engine.model} takes no images, and the chat context has one")
    return engine


def default_vad(given: NotGivenOr[vad.VAD | str | None]) -> vad.VAD | None:
    """The VAD asked for; the built-in one when none is named, None when None is given."""
    return VAD.loaded(LOCAL if isinstance(given, NotGiven) else given)


STT: Final[Slot[stt.STT[Any]]] = Slot("stt", stt.STT, load_stt)
VAD: Final[Slot[vad.VAD]] = Slot("vad", vad.VAD, load_vad)
LLM: Final[Slot[Mind]] = Slot("llm", llm.LLM, load_llm, others=(llm.RealtimeModel, llm.DuplexModel))
TTS: Final[Slot[tts.TTS[Any]]] = Slot("tts", tts.TTS, load_tts)
SLOTS: Final = cast("tuple[Slot[Any], ...]", (STT, VAD, LLM, TTS))


@contextmanager
def _inference(slot: str, model: str) -> Iterator[None]:
    """Refuse what cannot be a name, and say plainly that a key is missing."""
    inference_models.check(slot, model)
    try:
        yield
    except ValueError as error:
        if "api_" not in str(error):
            raise UsageError(f"{slot}={model!r}: {error}") from error
        missing = inference_models.missing_keys()
        lacking = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
        raise UsageError(
            f"{slot}={model!r} goes through LiveKit Inference, and {lacking} in the environment; "
            f"`antiphon console --local` runs the built-in engines instead"
        ) from error
