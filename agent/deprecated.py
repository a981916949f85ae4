"""Argument names that LiveKit has given up: each is put where its meaning is now, with a warning.

The only place that knows them. An old name beside the new one it stands for is an error.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar, cast

from livekit.agents import NOT_GIVEN, NotGivenOr

from antiphon.arguments import given, nearest
from antiphon.pipeline.errors import ArgumentError
from antiphon.room_options import resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Required

    from livekit import rtc
    from livekit.agents import (
        ExpressiveOptions,
        KeytermsOptions,
        PreemptiveGenerationOptions,
        RecordingOptions,
        STTContextOptions,
        TurnHandlingOptions,
        llm,
        mcp,
        room_io,
        stt,
        tts,
        vad,
    )
    from livekit.agents.llm.chat_context import Instructions
    from livekit.agents.voice.tool_executor import ToolHandlingOptions
    from livekit.agents.voice.turn import TurnDetectionMode

T = TypeVar("T")


class OldAgentArguments(TypedDict, total=False):
    """Of `Agent`."""

    turn_detection: NotGivenOr[TurnDetectionMode | None]
    min_endpointing_delay: NotGivenOr[float]
    max_endpointing_delay: NotGivenOr[float]
    allow_interruptions: NotGivenOr[bool]
    mcp_servers: NotGivenOr[list[mcp.MCPServer] | None]


class AgentArguments(OldAgentArguments, total=False):
    """All that `Agent` takes."""

    instructions: Required[str | Instructions]
    id: str | None
    chat_ctx: NotGivenOr[llm.ChatContext | None]
    tools: list[llm.Tool | llm.Toolset] | None
    stt: NotGivenOr[stt.STT[Any] | str | None]
    vad: NotGivenOr[vad.VAD | str | None]
    turn_handling: NotGivenOr[TurnHandlingOptions | None]
    tool_handling: NotGivenOr[ToolHandlingOptions]
    llm: NotGivenOr[llm.LLM[Any] | llm.RealtimeModel | llm.DuplexModel | str | None]
    tts: NotGivenOr[tts.TTS[Any] | str | None]
    expressive: NotGivenOr[bool | ExpressiveOptions]
    min_consecutive_speech_delay: NotGivenOr[float]
    use_tts_aligned_transcript: NotGivenOr[bool]


class OldSessionArguments(OldAgentArguments, total=False):
    """Of `AgentSession`."""

    preemptive_generation: NotGivenOr[bool | PreemptiveGenerationOptions]
    false_interruption_timeout: NotGivenOr[float | None]
    discard_audio_if_uninterruptible: NotGivenOr[bool]
    min_interruption_duration: NotGivenOr[float]
    min_interruption_words: NotGivenOr[int]
    resume_false_interruption: NotGivenOr[bool]
    agent_false_interruption_timeout: NotGivenOr[float | None]
    keyterms_options: NotGivenOr[KeytermsOptions]


class OldStartArguments(TypedDict, total=False):
    """Of `AgentSession.start`."""

    room_input_options: NotGivenOr[room_io.RoomInputOptions]
    room_output_options: NotGivenOr[room_io.RoomOutputOptions]


class StartArguments(OldStartArguments, total=False):
    """All that `AgentSession.start` takes, but for the agent and `capture_run`."""

    room: NotGivenOr[rtc.Room | None]
    room_options: NotGivenOr[room_io.RoomOptions]
    session_host: NotGivenOr[bool]
    record: NotGivenOr[bool | RecordingOptions]


class OldUpdateArguments(TypedDict, total=False):
    """Of `AgentSession.update_options`."""

    min_endpointing_delay: NotGivenOr[float]
    max_endpointing_delay: NotGivenOr[float]


# Where in turn_handling the meaning of an old name is.
TURN_HANDLING: Final[dict[str, tuple[str, ...]]] = {
    "turn_detection": ("turn_detection",),
    "min_endpointing_delay": ("endpointing", "min_delay"),
    "max_endpointing_delay": ("endpointing", "max_delay"),
    "allow_interruptions": ("interruption", "enabled"),
    "discard_audio_if_uninterruptible": ("interruption", "discard_audio_if_uninterruptible"),
    "min_interruption_duration": ("interruption", "min_duration"),
    "min_interruption_words": ("interruption", "min_words"),
    "resume_false_interruption": ("interruption", "resume_false_interruption"),
    "false_interruption_timeout": ("interruption", "false_interruption_timeout"),
    "agent_false_interruption_timeout": ("interruption", "false_interruption_timeout"),
    "preemptive_generation": ("preemptive_generation",),
}


def turn_handling(
    new: NotGivenOr[TurnHandlingOptions | None], old: Mapping[str, object]
) -> TurnHandlingOptions | None:
    """`new`, with what the old names say put into it; None when nothing was said."""
    found: dict[str, Any] = {}
    if given(new) and new is not None:
        if not isinstance(new, dict):
            raise ArgumentError(
                f"turn_handling={new!r}: write a dictionary, TurnHandlingOptions(…)"
            )
        found = {k: dict(v) if isinstance(v, dict) else v for k, v in new.items()}
    came_from: dict[tuple[str, ...], str] = {}
    for name, place in TURN_HANDLING.items():
        if not given(value := old.get(name, NOT_GIVEN)):
            continue
        if name == "preemptive_generation" and isinstance(value, bool):
            value = {"enabled": value}
        _put(found, place, value, name, came_from)
    return cast("TurnHandlingOptions", found) if found else None


def _put(
    found: dict[str, Any],
    place: tuple[str, ...],
    value: object,
    name: str,
    came_from: dict[tuple[str, ...], str],
) -> None:
    inner, key = found, place[-1]
    if len(place) == 2:
        inner = found.setdefault(place[0], {})
    written = f"turn_handling={{{': {'.join(map(repr, place))}: {value!r}{'}' * len(place)}"
    if isinstance(inner, dict) and key in inner:
        already = came_from.get(place, f"turn_handling{''.join(f'[{k!r}]' for k in place)}")
        raise ArgumentError(f"{name}= and {already} mean the same thing: drop {name}=")
    _warn(f"{name}=", written)
    inner[key] = value
    came_from[place] = f"{name}="


def stt_context(
    new: NotGivenOr[STTContextOptions], old: Mapping[str, object]
) -> NotGivenOr[STTContextOptions]:
    """`stt_context_options`, which `keyterms_options` was called."""
    return _renamed("keyterms_options", "stt_context_options", new, old)


def room_options(
    new: NotGivenOr[room_io.RoomOptions], old: Mapping[str, object]
) -> room_io.RoomOptions:
    """`room_options`, of which there were two halves."""
    names = ("room_input_options", "room_output_options")
    halves: list[Any] = [old.get(name, NOT_GIVEN) for name in names]
    for name, half in zip(names, halves, strict=True):
        if given(half):
            if given(new):
                raise ArgumentError(f"{name}= is a part of room_options=: drop {name}=")
            _warn(f"{name}=", "room_options=room_io.RoomOptions(…)")
    return resolved(new, *halves)


def endpointing(new: NotGivenOr[T], old: Mapping[str, object]) -> NotGivenOr[T | dict[str, object]]:
    """`endpointing_opts` of `update_options`."""
    found: dict[str, object] = {}
    for name in _names(OldUpdateArguments):
        if given(value := old.get(name, NOT_GIVEN)):
            if given(new):
                raise ArgumentError(f"{name}= is a part of endpointing_opts=: drop {name}=")
            key = TURN_HANDLING[name][1]
            _warn(f"{name}=", f"endpointing_opts={{{key!r}: {value!r}}}")
            found[key] = value
    return found or new


def mcp_servers(old: Mapping[str, object]) -> NotGivenOr[list[mcp.MCPServer] | None]:
    """The servers that were named by themselves and not as toolsets; an empty list is none."""
    servers = old.get("mcp_servers", NOT_GIVEN)
    if not given(servers):
        return NOT_GIVEN
    _warn("mcp_servers=", 'tools=[mcp.MCPToolset(id="…", mcp_server=…)]')
    return cast("list[mcp.MCPServer] | None", servers or None)


def known(call: Callable[..., object], old: Mapping[str, object], names: type) -> None:
    """Refuse a name that `call` never had; `names` has the old ones."""
    old_names = _names(names)
    for name in old:
        if name not in old_names:
            new = inspect.signature(call).parameters
            every = {n for n, p in new.items() if p.kind is not p.VAR_KEYWORD} | old_names
            raise ArgumentError(f"{call.__name__} has no argument {name!r}; {nearest(name, every)}")


def _names(arguments: type) -> set[str]:
    return set(arguments.__annotations__)  # a TypedDict has those of its bases too


def _renamed(
    name: str, new_name: str, new: NotGivenOr[T], old: Mapping[str, object]
) -> NotGivenOr[T]:
    value = old.get(name, NOT_GIVEN)
    if not given(value):
        return new
    if given(new):
        raise ArgumentError(f"{name}= and {new_name}= mean the same thing: drop {name}=")
    _warn(f"{name}=", f"{new_name}={value!r}")
    return cast("T", value)


def _warn(old: str, new: str) -> None:
    message = f"{old} is deprecated: write {new}"
    warnings.warn(message, DeprecationWarning, stacklevel=_outside())


def _outside() -> int:
    """How far up the stack of `_warn` the program is: the first frame that is not ours."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and f"{frame.f_globals.get('__name__')}.".startswith("antiphon."):
        level, frame = level + 1, frame.f_back
    return level
