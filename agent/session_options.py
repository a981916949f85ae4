"""The options of a session beside its models: checked when they are given, shown as they are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast

from livekit.agents import NOT_GIVEN
from livekit.agents.llm.chat_context import Instructions
from livekit.agents.voice import VoiceActivityVideoSampler

from antiphon import arguments, options
from antiphon.arguments import (
    Check,
    count,
    flag,
    given,
    keys,
    mapping,
    one_of,
    optional,
    said,
    seconds,
)
from antiphon.pipeline.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from livekit.agents import (
        EndpointingOptions,
        InterruptionOptions,
        NotGivenOr,
        PreemptiveGenerationOptions,
        RecordingOptions,
        STTContextOptions,
        TurnHandlingOptions,
    )
    from livekit.agents.voice.turn import TurnDetectionMode

    from antiphon.agent import Agent
    from antiphon.nodes.polish import Transform
    from antiphon.options import Options
    from antiphon.pipeline.turn_table import Rules

T = TypeVar("T")
VideoSampler = Callable[[Any, Any], bool]

_KEYTERM_DETECTION: Final[dict[str, Check]] = {
    "enabled": flag,
    "llm": arguments.anything,
    "turn_interval": count,
    "max_keyterms": optional(count),
    "instructions": arguments.anything,
    "timeout": seconds,
}
_STT_CONTEXT: Final[dict[str, Check]] = {
    "keyterms": arguments.words,
    "keyterm_detection": optional(keys(_KEYTERM_DETECTION)),
    "forward_chat_context": flag,
}
_TEMPLATES: Final = ("update", "duplicate_reject", "duplicate_confirm")
_REPLY_TEMPLATES: Final = ("reply_at_tail", "reply_maybe_covered")
_TOOL_HANDLING: Final[dict[str, Check]] = {
    "async_options": optional(
        keys({f"{n}_template": arguments.anything for n in (*_TEMPLATES, *_REPLY_TEMPLATES)})
    ),
}
_SOUNDS: Final[dict[str, Check]] = dict.fromkeys(
    (
        *("laughing", "breathing", "sighing", "crying", "vocalizing"),
        *("mouth_sounds", "reflex_sounds"),
    ),
    flag,
)


def _sounds(name: str, value: object) -> None:
    """Sounds that a voice makes beside words: all, none, or some."""
    if not isinstance(value, bool):
        mapping(name, value, _SOUNDS)


def _told(name: str, value: object) -> None:
    if not isinstance(value, str | Instructions):
        raise ArgumentError(f"{name}={value!r}: write a str")


_STEERING: Final[dict[str, Check]] = {
    "disfluencies": flag,
    "nonverbal_sounds": _sounds,
    "pace": one_of("slow", "normal", "fast"),
}
_EXPRESSIVE: Final[dict[str, Check]] = {
    "speech_steering": keys(_STEERING),
    "tts_instructions_template": _told,
    "tts_instructions_append": _told,
}
_RECORDING: Final[dict[str, Check]] = dict.fromkeys(
    ("audio", "traces", "logs", "transcript", "redaction", "input_delta"), flag
)
_SIMPLE: Final[dict[str, Check]] = {
    "max_tool_steps": count,
    "user_away_timeout": optional(seconds),
    "transcription_timeout": optional(seconds),
    "min_consecutive_speech_delay": seconds,
    "use_tts_aligned_transcript": optional(flag),
    "ivr_detection": flag,
    "aec_warmup_duration": optional(seconds),
    "session_close_transcript_timeout": seconds,
}


@dataclass(slots=True)
class SessionOptions:
    """What `AgentSession.options` shows: every option with its value. Times in seconds."""

    turn_handling: Options
    endpointing_overrides: EndpointingOptions  # what of it was said, and is not a default
    stt_context_options: STTContextOptions
    max_tool_steps: int
    user_away_timeout: float | None
    transcription_timeout: float | None
    min_consecutive_speech_delay: float
    use_tts_aligned_transcript: bool | None
    tts_text_transforms: Sequence[Transform] | None
    ivr_detection: bool
    aec_warmup_duration: float | None
    session_close_transcript_timeout: float
    recording_options: RecordingOptions

    def __post_init__(self) -> None:
        for name, check in _SIMPLE.items():
            check(name, getattr(self, name))

    def update(self, changed: TurnHandlingOptions | None, keyterms: NotGivenOr[list[str]]) -> None:
        """Put in what `update_options` was given."""
        if given(keyterms):
            arguments.words("keyterms", keyterms)
            self.stt_context_options["keyterms"] = list(keyterms)
        self.turn_handling = options.resolve(self.turn_handling, changed)
        self.endpointing_overrides.update(options.endpointing(changed))

    def in_force(self, agent: Agent) -> Options:
        """What holds of turn handling while that agent is in charge."""
        return options.in_force(
            self.turn_handling, self.endpointing_overrides, agent._turn_handling
        )

    def rules(self, given: Options, agent: Agent) -> Rules:
        """What the turn machine makes of these options with that agent's recogniser."""
        interims = agent.stt is None or agent.stt.capabilities.interim_results is not False
        patience = self.transcription_timeout
        return options.rules(given, interim_results=interims, transcription_timeout=patience)

    def gap(self, agent: Agent) -> float:
        """Seconds between two speeches while that agent is in charge."""
        return said(agent.min_consecutive_speech_delay, self.min_consecutive_speech_delay)

    @property
    def endpointing(self) -> EndpointingOptions:
        return cast("EndpointingOptions", self.turn_handling["endpointing"])

    @property
    def interruption(self) -> InterruptionOptions:
        return cast("InterruptionOptions", self.turn_handling["interruption"])

    @property
    def preemptive_generation(self) -> PreemptiveGenerationOptions:
        return cast("PreemptiveGenerationOptions", self.turn_handling["preemptive_generation"])


class OptionsOfSession:
    """What a session shows of its options by itself."""

    options: SessionOptions

    @property
    def turn_detection(self) -> TurnDetectionMode | None:
        return cast("TurnDetectionMode | None", self.options.turn_handling["turn_detection"])

    @property
    def interruption_detection(self) -> NotGivenOr[Literal["adaptive", "vad"]]:
        return self.options.interruption.get("mode", NOT_GIVEN)


class OptionsOfAgent:
    """What an agent shows of its options by itself; NOT_GIVEN where the session's hold."""

    _turn_handling: TurnHandlingOptions | None

    @abstractmethod
    def update_options(self, *, turn_handling: TurnHandlingOptions) -> None: ...

    @property
    def turn_detection(self) -> NotGivenOr[TurnDetectionMode | None]:
        """Who says when a turn of the user's is over; setting it holds from now on."""
        return (self._turn_handling or {}).get("turn_detection", NOT_GIVEN)

    @turn_detection.setter
    def turn_detection(self, value: TurnDetectionMode | None) -> None:
        changed: dict[str, Any] = {**(self._turn_handling or {}), "turn_detection": value}
        self.update_options(turn_handling=cast("TurnHandlingOptions", changed))

    @property
    def interruption_detection(self) -> NotGivenOr[Literal["adaptive", "vad"]]:
        return ((self._turn_handling or {}).get("interruption") or {}).get("mode", NOT_GIVEN)

    @property
    def allow_interruptions(self) -> NotGivenOr[bool]:
        return ((self._turn_handling or {}).get("interruption") or {}).get("enabled", NOT_GIVEN)

    @property
    def min_endpointing_delay(self) -> NotGivenOr[float]:
        """Seconds."""
        return ((self._turn_handling or {}).get("endpointing") or {}).get("min_delay", NOT_GIVEN)

    @property
    def max_endpointing_delay(self) -> NotGivenOr[float]:
        """Seconds."""
        return ((self._turn_handling or {}).get("endpointing") or {}).get("max_delay", NOT_GIVEN)


def stt_context(given_options: NotGivenOr[STTContextOptions]) -> STTContextOptions:
    """What the recogniser is to be told, every key with its value."""
    said: dict[str, Any] = {}
    if given(given_options):
        mapping("stt_context_options", given_options, _STT_CONTEXT)
        said = dict(given_options)
    detection = {
        "enabled": False,
        "llm": None,
        "turn_interval": 1,
        "max_keyterms": None,
        "instructions": None,
        "timeout": 10.0,
        **(said.get("keyterm_detection") or {}),
    }
    keyterms = list(said.get("keyterms", []))
    found = {"keyterms": keyterms, "forward_chat_context": True, **said}
    return cast("STTContextOptions", {**found, "keyterm_detection": detection})


def tool_handling(value: NotGivenOr[T]) -> NotGivenOr[T]:
    if given(value):
        mapping("tool_handling", value, _TOOL_HANDLING)
    return value


def expressive(value: NotGivenOr[T]) -> NotGivenOr[T]:
    if given(value) and not isinstance(value, bool):
        mapping("expressive", value, _EXPRESSIVE)
    return value


def check_speech(
    min_consecutive_speech_delay: NotGivenOr[float], use_tts_aligned_transcript: NotGivenOr[bool]
) -> None:
    """An agent's own, which hold over the session's when they are given."""
    seconds("min_consecutive_speech_delay", said(min_consecutive_speech_delay, 0.0))
    optional(flag)("use_tts_aligned_transcript", said(use_tts_aligned_transcript, None))


def aligned(agent: Agent) -> bool:
    """Whether transcription_node is to be given the words as the voice times them.

    A TTS must say that it times them; an agent whose tts_node has none may.
    """
    asked = said(agent.use_tts_aligned_transcript, agent.session.options.use_tts_aligned_transcript)
    return bool(asked) and (agent.tts is None or agent.tts.capabilities.aligned_transcript)


def sampler(value: NotGivenOr[VideoSampler | None]) -> VideoSampler | None:
    """Which video frames are looked at; None is all of them."""
    if not given(value):
        return VoiceActivityVideoSampler(speaking_fps=1.0, silent_fps=0.3)
    if value is not None and not callable(value):
        raise ArgumentError(f"video_sampler={value!r}: write a function of a frame and the session")
    return value


def recording(value: NotGivenOr[bool | RecordingOptions]) -> RecordingOptions:
    """What of a session is to be recorded: everything, unless something else is said."""
    whole = value if isinstance(value, bool) else True
    found: dict[str, bool] = dict.fromkeys(("audio", "traces", "logs", "transcript"), whole)
    if given(value) and not isinstance(value, bool):
        mapping("record", value, _RECORDING)
        found.update(cast("Mapping[str, bool]", value))
    return cast("RecordingOptions", {"redaction": False, **found})
