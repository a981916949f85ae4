"""What a session at a console hears, thinks and speaks with, and what is missing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from livekit.agents import llm

from antiphon.chosen import STAND_INS
from antiphon.nodes import models
from antiphon.pipeline.errors import UsageError
from antiphon.realtime import detects

if TYPE_CHECKING:
    from antiphon.agent import Agent
    from antiphon.session import AgentSession

WITHOUT: Final = {
    "stt": "nobody hears the caller",
    "llm": "nobody answers the caller",
    "tts": "the agent writes and is not heard",
}

NETWORKED: Final = ("livekit.plugins.", "livekit.agents.inference.")


def used(session: AgentSession[Any], *, written: bool) -> list[object]:
    """The models of a call; a `written` one needs but one."""
    agent = session.current_agent
    if written:
        return [agent.llm]
    detector = [] if detects(agent, session.conversation.options) else [agent.vad]
    return [*detector, agent.stt, agent.llm, agent.tts]


def missing(agent: Agent, *, written: bool) -> list[str]:
    """A line for each model that is not there, nor a node of the agent's own in its place."""
    slots = {"llm"} if written else {"stt", "llm", "tts"}
    if isinstance(agent.llm, llm.RealtimeModel):
        slots -= {"stt", "tts"} if agent.llm.capabilities.audio_output else {"stt"}
    return [
        f"no {slot}: {why}; pass {slot}= to AgentSession or override {slot}_node"
        for slot, why in WITHOUT.items()
        if slot in slots and getattr(agent, slot) is None and not agent._overrides(f"{slot}_node")
    ]


def complete(session: AgentSession[Any]) -> None:
    """Where a built-in model stands for one that hears and speaks itself: built-in ears and voice
    beside it."""
    agent = session.current_agent
    if agent.llm in models.SPOKEN_TO:
        bare = [slot for slot in (models.STT, models.TTS) if getattr(agent, slot.name) is None]
        STAND_INS[session] = {slot.name: slot.load(models.LOCAL) for slot in bare}


def refuse_network(session: AgentSession[Any]) -> None:
    """Virtual time cannot wait for a network; say which model would need one."""
    agent = session.current_agent
    for slot, model in (("stt", agent.stt), ("llm", agent.llm), ("tts", agent.tts)):
        modules = [kind.__module__ for kind in type(model).__mro__]
        if module := next((each for each in modules if each.startswith(NETWORKED)), None):
            name = getattr(model, "model", "") or type(model).__name__
            raise UsageError(
                f"--fast needs engines on this machine, and {slot} is {name} ({module}); "
                f"add --local to put a built-in engine in its place"
            )
