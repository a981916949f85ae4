"""What one request to a model used: tokens, characters, seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from livekit.agents import metrics

if TYPE_CHECKING:
    from livekit.agents.metrics import AgentMetrics


@dataclass(frozen=True, slots=True)
class Sound:
    """Those of the tokens that are sound or pictures."""

    heard: int = 0
    cached: int = 0
    spoken: int = 0
    pictures: int = 0
    pictures_cached: int = 0


SILENT: Final = Sound()


@dataclass(frozen=True, slots=True)
class Used:
    """What one request used."""

    kind: str  # "llm", "stt" or "tts"
    provider: str
    model: str
    prompt: int = 0  # tokens, with those that were cached
    cached: int = 0
    written: int = 0  # into the provider's cache
    out: int = 0
    characters: int = 0
    seconds: float = 0.0  # of audio, or of a connection
    sound: Sound = SILENT

    @property
    def told(self) -> bool:
        """Whether the provider said what it counts: of a reply that was cut, few do."""
        return self.kind != "llm" or bool(self.prompt or self.out or self.seconds)

    @property
    def lasted(self) -> bool:
        """It was no request, but the time of a connection that a model is paid for."""
        return self.kind == "llm" and self.seconds > 0


def used_by(report: AgentMetrics) -> Used | None:
    """What a request used, by what its model reports; None for what has no price."""
    about = getattr(report, "metadata", None)
    whose = (about.model_provider or "", about.model_name or "") if about else ("", "")
    match report:
        case metrics.LLMMetrics():
            return Used(
                "llm",
                *whose,
                prompt=report.prompt_tokens,
                cached=report.prompt_cached_tokens,
                written=report.cache_creation_tokens,
                out=report.completion_tokens,
            )
        case metrics.RealtimeModelMetrics():
            return _spoken(report, whose)
        case metrics.TTSMetrics():
            characters, seconds = report.characters_count, report.audio_duration
            return Used("tts", *whose, characters=characters, seconds=seconds)
        case metrics.STTMetrics():
            return Used(
                "stt",
                *whose,
                prompt=report.input_tokens,
                out=report.output_tokens,
                seconds=report.audio_duration,
                sound=Sound(heard=report.input_audio_tokens),
            )
    return None


def _spoken(report: metrics.RealtimeModelMetrics, whose: tuple[str, str]) -> Used | None:
    """What a response used, or a connection in some time; one that has only begun, nothing."""
    given, made = report.input_token_details, report.output_token_details
    cached = given.cached_tokens_details or metrics.RealtimeModelMetrics.CachedTokenDetails()
    used = Used(
        "llm",
        *whose,
        prompt=report.input_tokens,
        cached=given.cached_tokens,
        out=report.output_tokens,
        seconds=report.session_duration,
        sound=Sound(
            heard=given.audio_tokens,
            cached=cached.audio_tokens,
            spoken=made.audio_tokens,
            pictures=given.image_tokens,
            pictures_cached=cached.image_tokens,
        ),
    )
    return used if used.told or report.duration else None
