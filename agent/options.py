"""Turn-handling options: LiveKit's dictionaries, our defaults, and the rules they come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions

from antiphon.pipeline.errors import UsageError
from antiphon.pipeline.turn_table import Rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit.agents import TurnHandlingOptions


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """LiveKit's `SessionConnectOptions`: how each model retries and when it gives up."""

    stt_conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    llm_conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    tts_conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    max_unrecoverable_errors: int = 3  # in a row, from one source; one more ends the session


class Options(TypedDict):
    """Every option with its value; what `AgentSession.options` shows. Times in seconds."""

    turn_detection: str | None
    endpointing: dict[str, Any]
    interruption: dict[str, Any]
    preemptive_generation: dict[str, Any]
    user_turn_limit: dict[str, Any]


# Ours where they differ from LiveKit's (in brackets): sound only pauses, so it may pause early
# [0.5], a pause that was for nothing ends sooner [2.0], and the first chunk of a prepared reply is
# synthesised too [False].
DEFAULTS: Final[Options] = {
    "turn_detection": None,
    "endpointing": {"mode": "fixed", "min_delay": 0.5, "max_delay": 3.0, "alpha": 0.9},
    "interruption": {
        "enabled": True,
        "discard_audio_if_uninterruptible": True,
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

# Accepted because programs pass them, and without an effect here yet.
_UNTYPED: Final = {"mode"}


def resolve(*layers: TurnHandlingOptions | None) -> Options:
    """Options of the session, then of the agent, over the defaults; unknown keys are an error."""
    found: dict[str, Any] = {
        key: dict(value) if isinstance(value, dict) else value for key, value in DEFAULTS.items()
    }
    for layer in layers:
        for key, value in cast("Mapping[str, Any]", layer or {}).items():
            if key not in found:
                raise UsageError(f"turn_handling has no {key!r}; it has {', '.join(found)}")
            if isinstance(found[key], dict):
                wrong = set(value) - set(found[key]) - _UNTYPED
                if wrong:
                    known = ", ".join(found[key])
                    raise UsageError(f"turn_handling[{key!r}] has no {wrong}; it has {known}")
                found[key].update(value)
            else:
                found[key] = value
    return cast("Options", found)


def rules(options: Options, *, interim_results: bool) -> Rules:
    """What the turn machine makes of the options.

    A recogniser without interim results is silent while somebody speaks on, so its silence must
    not be taken for a stuck detector.
    """
    endpointing, interruption = options["endpointing"], options["interruption"]
    speculation = options["preemptive_generation"]
    resumes = interruption["resume_false_interruption"]
    return Rules(
        min_delay=endpointing["min_delay"],
        max_delay=max(endpointing["max_delay"], endpointing["min_delay"]),
        min_duration=interruption["min_duration"],
        min_words=interruption["min_words"],
        false_interruption=interruption["false_interruption_timeout"] if resumes else None,
        stuck_voice=5.0 if interim_results else 30.0,
        manual=options["turn_detection"] == "manual",
        drafts=speculation["max_retries"] if speculation["enabled"] else 0,
        draft_max_speech=speculation["max_speech_duration"],
    )
