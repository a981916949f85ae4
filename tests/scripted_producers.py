"""Agents of the producers that there are, each for `tests.scripted.hold(agent=…)`."""

from __future__ import annotations

from typing import Any

from antiphon import Agent
from tests.scripted import Call, Plain, plain, stories
from tests.scripted_realtime import ScriptedRealtime


class Spoken(Agent):
    """An agent with a realtime model, and a voice for what the application says."""

    def __init__(self, call: Call, model: ScriptedRealtime) -> None:
        super().__init__(instructions="Answer.", llm=model)
        self.caller, self.voice = call.caller, call.voice

    tts_node = Plain.tts_node


class Beside(Spoken):
    """And a recogniser beside it."""

    stt_node = Plain.stt_node


def its_turns(call: Call) -> Spoken:
    """The model ends the user's turns, and its word is law."""
    return Spoken(call, ScriptedRealtime(stories(), call.voice))


def our_turns(call: Call) -> Spoken:
    """The session ends them, by the sound alone: only the model hears words."""
    return Spoken(call, ScriptedRealtime(stories(), call.voice, turn_detection=False))


def our_words(call: Call) -> Spoken:
    """The session ends them, by the words of a recogniser beside the model."""
    can: dict[str, Any] = {"turn_detection": False, "user_transcription": False}
    return Beside(call, ScriptedRealtime(stories(), call.voice, **can))


REALTIME = (its_turns, our_turns, our_words)
PRODUCERS = (plain, *REALTIME)


def model_of(agent: Agent) -> ScriptedRealtime:
    """Its model."""
    model = agent.llm
    assert isinstance(model, ScriptedRealtime)
    return model


def told(call: Call, what: str) -> list[tuple[Any, ...]]:
    """What the model was told of that kind, in its last session."""
    return [entry for entry in model_of(call.agent).sessions[-1].heard if entry[0] == what]
