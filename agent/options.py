"""Turn-handling options: LiveKit's dictionaries, our defaults, and the rules they come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypedDict, cast, runtime_checkable

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions

from antiphon import arguments
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
from antiphon.pipeline.turn_table import Rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit.agents import EndpointingOptions, NotGivenOr, TurnHandlingOptions
    from livekit.agents.voice.turn import TurnDetectionMode


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """LiveKit's `SessionConnectOptions`: how each model retries and when it gives up."""

    stt_conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    llm_conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    tts_conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    max_unrecoverable_errors: int = 3  # in a row, from one source; one more ends the session


class Options(TypedDict):
    """Every option of turn handling with its value. Times in seconds."""

    turn_detection: object  # a word, a detector of the user's, or None
    endpointing: dict[str, Any]
    interruption: dict[str, Any]
    preemptive_generation: dict[str, Any]
    user_turn_limit: dict[str, Any]


# Ours where they differ from LiveKit's (in brackets): sound only pauses, so it may pause early
# [0.5], a pause that was for nothing ends sooner [2.0], words over a speech that must not be
# interrupted are kept [True], and the first chunk of a prepared reply is synthesised too [False].
DEFAULTS: Final[Options] = {
    "turn_detection": None,
    "endpointing": {"mode": "fixed", "min_delay": 0.5, "max_delay": 3.0, "alpha": 0.9},
    "interruption": {
        "enabled": True,
        "discard_audio_if_uninterruptible": False,
        "min_duration": 0.2,
        "min_words": 0,
        "resume_false_interruption": True,
        "false_interruption_timeout": 1.0,
        "backchannel_boundary": (1.0, 1.0),
    },
    "preemptive_generation": {
        "enabled": True,
        "preemptive_tts": True,
        "max_speech_duration": 10.0,
        "max_retries": 3,
    },
    "user_turn_limit": {"max_words": None, "max_duration": None},
}


# The delays where a detector that listens says when the user has finished.
LISTENING: Final[TurnHandlingOptions] = {"endpointing": {"min_delay": 0.3, "max_delay": 2.5}}

FINAL_WAIT: Final = 2.5  # seconds for a final transcript, where nobody says how many
OPINION: Final = 1.0  # seconds that a detector of the words has to say whether they are all


@runtime_checkable
class TextDetector(Protocol):
    """Says from the words whether the user has finished."""

    async def predict_end_of_turn(
        self, chat_ctx: Any, *, timeout: float | None = None
    ) -> float: ...


@runtime_checkable
class AudioDetector(Protocol):
    """Says from the sound whether the user has finished."""

    def stream(self, *, conn_options: APIConnectOptions = ...) -> Any: ...


def listener(detector: object) -> AudioDetector | None:
    """The detector, if it goes by the sound."""
    by_words = isinstance(detector, TextDetector)
    return detector if isinstance(detector, AudioDetector) and not by_words else None


def _detector(name: str, value: object) -> None:
    modes = ("stt", "vad", "realtime_llm", "manual")
    if isinstance(value, type):
        raise ArgumentError(
            f"{name}={value.__name__}: that is the class; write {value.__name__}(…)"
        )
    if value is not None and not isinstance(value, TextDetector | AudioDetector):
        one_of(*modes)(name, value)


def _boundary(name: str, value: object) -> None:
    both = value if isinstance(value, tuple | list) and len(value) == 2 else (value,)
    for one in both:
        seconds(name, one)


_INTERRUPTION: Final[dict[str, Check]] = {
    "enabled": flag,
    "mode": one_of("adaptive", "vad"),
    "discard_audio_if_uninterruptible": flag,
    "min_duration": seconds,
    "min_words": count,
    "resume_false_interruption": flag,
    "false_interruption_timeout": optional(seconds),
    "backchannel_boundary": optional(_boundary),
}
_TURN_HANDLING: Final[dict[str, Check]] = {
    "turn_detection": _detector,
    "endpointing": optional(
        keys(
            {
                "mode": one_of("fixed", "dynamic"),
                "min_delay": seconds,
                "max_delay": seconds,
                "alpha": arguments.fraction,
            }
        )
    ),
    "interruption": optional(keys(_INTERRUPTION)),
    "preemptive_generation": optional(
        keys(
            {
                "enabled": flag,
                "preemptive_tts": flag,
                "max_speech_duration": seconds,
                "max_retries": count,
            }
        )
    ),
    "user_turn_limit": optional(
        keys({"max_words": optional(count), "max_duration": optional(seconds)})
    ),
}


def check(turn_handling: NotGivenOr[TurnHandlingOptions | None]) -> TurnHandlingOptions | None:
    """Refuse what turn handling cannot be; None when there is none."""
    if not given(turn_handling) or turn_handling is None:
        return None
    mapping("turn_handling", turn_handling, _TURN_HANDLING)
    endpointing = turn_handling.get("endpointing") or {}
    low, high = endpointing.get("min_delay"), endpointing.get("max_delay")
    if low is not None and high is not None and low > high:
        raise ArgumentError(
            f'turn_handling["endpointing"]: max_delay={high} is less than min_delay={low}; '
            f"write max_delay={low} or more"
        )
    return turn_handling


def endpointing(turn_handling: TurnHandlingOptions | None) -> EndpointingOptions:
    """What was said of endpointing, without the defaults."""
    return cast("EndpointingOptions", dict((turn_handling or {}).get("endpointing") or {}))


def changed(
    endpointing_opts: object, turn_detection: NotGivenOr[TurnDetectionMode | None]
) -> TurnHandlingOptions | None:
    """What `update_options` is given, as turn handling."""
    change: dict[str, object] = {"endpointing": endpointing_opts, "turn_detection": turn_detection}
    found = {key: value for key, value in change.items() if given(value)}
    return check(cast("TurnHandlingOptions", found))


def connecting(value: NotGivenOr[ConnectOptions | None]) -> ConnectOptions:
    """How the models connect; the defaults when that is left out."""
    options = said(value, None) or ConnectOptions()
    return arguments.instance("conn_options", options, ConnectOptions, "SessionConnectOptions(…)")


def resolve(*layers: TurnHandlingOptions | Options | None) -> Options:
    """Options of the session, then of the agent, over the defaults; all of them checked."""
    found: dict[str, Any] = {
        key: dict(value) if isinstance(value, dict) else value for key, value in DEFAULTS.items()
    }
    for layer in layers:
        for key, value in cast("Mapping[str, Any]", layer or {}).items():
            if not isinstance(found[key], dict):
                found[key] = value
            elif value is not None:
                found[key].update(value)
                if key == "endpointing":
                    _give_way(found[key], value)
    return cast("Options", found)


def in_force(
    session: Options, overrides: EndpointingOptions, agent: TurnHandlingOptions | None = None
) -> Options:
    """The session's options with the agent's over them; `overrides` are the delays that somebody
    has said for the session. With a detector that listens the others are shorter, as in LiveKit."""
    found = resolve(session, agent)
    if listener(found["turn_detection"]) is not None:
        said: Any = {**overrides, **endpointing(agent)}
        found["endpointing"] = resolve(LISTENING, {"endpointing": said})["endpointing"]
    return found


def _give_way(found: dict[str, Any], said: Mapping[str, float]) -> None:
    """Let a delay that nobody named follow the one that was."""
    if "max_delay" in said and "min_delay" not in said:
        found["min_delay"] = min(found["min_delay"], found["max_delay"])
    else:
        found["max_delay"] = max(found["min_delay"], found["max_delay"])


def rules(
    options: Options, *, interim_results: bool, transcription_timeout: float | None = None
) -> Rules:
    """What the turn machine makes of the options.

    A recogniser without interim results is silent while somebody speaks on, so its silence must
    not be taken for noise, nor for a stuck detector.
    """
    endpointing, interruption = options["endpointing"], options["interruption"]
    speculation = options["preemptive_generation"]
    resumes = interruption["resume_false_interruption"]
    return Rules(
        min_delay=endpointing["min_delay"],
        max_delay=endpointing["max_delay"],
        memory=endpointing["alpha"] if endpointing["mode"] == "dynamic" else None,
        min_duration=interruption["min_duration"],
        min_words=interruption["min_words"],
        false_interruption=interruption["false_interruption_timeout"] if resumes else None,
        noise=3.0 if interim_results else 10.0,
        stuck_voice=5.0 if interim_results else 30.0,
        manual=options["turn_detection"] == "manual",
        opinion=OPINION if isinstance(options["turn_detection"], TextDetector) else None,
        drafts=speculation["max_retries"] if speculation["enabled"] else 0,
        draft_max_speech=speculation["max_speech_duration"],
        transcript_timeout=FINAL_WAIT if transcription_timeout is None else transcription_timeout,
    )
