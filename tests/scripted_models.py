"""Agents of LiveKit models throughout, for what only those do: tasks, retries, framing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents import APIConnectOptions

from antiphon import Agent
from antiphon.simulate import ScriptedLLM, ScriptedSTT, ScriptedTTS
from tests.scripted import Call, stories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from livekit.agents import llm

ONCE = APIConnectOptions(max_retry=0, retry_interval=0.1, timeout=10.0)


def in_turn(replies: Iterable[str] | None = None) -> Callable[[llm.ChatContext], str]:
    """One a request, also when an answer was prepared and thrown away: no word is said twice."""
    left = iter(stories() if replies is None else replies)
    return lambda _: next(left)


def modelled(
    call: Call, *, streaming: bool = False, replies: Iterable[str] | None = None, **more: Any
) -> Agent:
    return Agent(
        instructions="Answer.",
        stt=ScriptedSTT(),
        llm=ScriptedLLM(in_turn(replies)),
        tts=ScriptedTTS(voice=call.voice, streaming=streaming),
        **more,
    )
