"""A recorded caller and the built-in engines in a room: what was heard is what was written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import Agent
from antiphon.nodes import local
from antiphon.nodes.wav import read_wav
from antiphon.pipeline.errors import AntiphonError
from antiphon.simulate import ScriptedLLM
from tests.nodes.local.test_stt import errors, frames
from tests.rooms.holding import call

if TYPE_CHECKING:
    from livekit.agents import stt

    from antiphon.nodes.wav import Samples
    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime

CALLER = Path(__file__).parents[2] / "samples" / "callers" / "hello.wav"
REPLIES = [  # which the recogniser understands straight from the voice
    "The weather is cold and windy today.",
    "Can you call my mother after dinner?",
    "The lights in the kitchen are off.",
]
WRONG = 0.15  # of the words may be recognised wrong


async def recognised(model: stt.STT[Any], sound: Samples) -> list[str]:
    found: list[str] = []
    async with model.stream() as stream:
        for frame in frames(sound):
            stream.push_frame(frame)
        stream.end_input()
        async for event in stream:
            if event.type == "final_transcript":
                found += plain(event.alternatives[0].text)
    return found


def plain(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


async def test_what_a_callers_ear_recorded_is_what_the_transcript_and_the_history_say(
    livekit_server: LiveKitServer, name: str
) -> None:
    try:
        ears, voice = local.local_stt(), local.local_tts("flite:rms")
    except AntiphonError as error:
        pytest.skip(str(error))
    agent = Agent(instructions="You are Ada.", stt=ears, llm=ScriptedLLM(REPLIES), tts=voice)
    async with call(livekit_server, name, agent) as held:
        caller = held.caller
        await caller.speak(read_wav(CALLER).samples)
        await caller.until(lambda: len(held.history("assistant")) == 3)
    assert held.history("user") == ["hello", "what time is it", "many thanks goodbye"]
    assert [" ".join(plain(t)) for t in caller.said("caller")] == held.history("user")
    said = held.history("assistant")
    assert [text.strip() for text in caller.said("agent")] == said
    words = [word for text in said for word in plain(text)]
    found = await recognised(local.local_stt(), caller.sound())
    assert errors(words, found) <= WRONG * len(words), (words, found)
