"""The built-in engines in a room whose microphone hears the speaker, on the virtual clock.

The same sounds at the same samples each time: what a card in real time cannot promise.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from antiphon import Agent, AgentSession
from antiphon.nodes.console import SoundCard, Wanted
from antiphon.nodes.echo import Duplex
from antiphon.nodes.local import flite, sphinx
from antiphon.nodes.wav import read_wav
from antiphon.pipeline.errors import NodeUnavailable
from antiphon.pipeline.streams import Scope
from tests.nodes.local.conftest import say  # noqa: F401
from tests.nodes.test_console import BUILT_IN, Script
from tests.sound_card import slam

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from antiphon.nodes.local.sound import Samples
    from antiphon.speech import SpeechHandle

try:
    sphinx.package()
    flite.available()
except NodeUnavailable as lacking:
    pytest.skip(str(lacking), allow_module_level=True)

CALLERS = Path(__file__).parents[2] / "samples" / "callers"
TALK: Final = (
    "The library is next to the town hall, and the tram stops right in front of it. "
    "Take the number seven, and get off at the market square. "
    "Please bring a valid card with you when you come for the first time."
)

BARGE_INS: Final = [
    (-10, 1.3, "slt", "wait a moment please"),
    (-10, 3.1, "rms", "can you help me"),
    (-10, 3.1, "slt", "tell me another story"),
    (-3, 1.3, "slt", "where is the station"),
]


class Room:
    """A session in a room with an echo that is `gain` decibels louder than the speaker."""

    def __init__(self, session: AgentSession[Any], script: Script) -> None:
        self.session = session
        self._script = script

    async def hears(self, sound: Samples, *, over: float) -> SpeechHandle:
        """What becomes of a speech over which, after so many seconds, there is that sound."""
        speech = self.session.say(TALK)
        while self.session.agent_state != "speaking":
            await self._script.run(0.02)
        await self._script.run(over)
        await self._script.run(len(sound) / 16_000 + 1, sound)
        await self.ended(speech)
        return speech

    async def ended(self, speech: SpeechHandle) -> None:
        while not speech.done():
            await self._script.run(0.1)

    def words(self) -> str:
        """What was recognised."""
        records = [r for r in self.session.timeline.records if r.kind == "transcript"]
        return " ".join(str(r.detail["text"]) for r in records if r.detail["final"])

    def records(self, *kinds: str) -> list[str]:
        return [r.kind for r in self.session.timeline.records if r.kind in kinds]


@asynccontextmanager
async def room(gain: float) -> AsyncIterator[Room]:
    """With a canceller that has learnt it."""
    script = Script(BUILT_IN, echo=10 ** (gain / 20), fixed_rate=16_000)
    async with Scope("room") as scope:
        card = SoundCard(scope, Wanted(aec=True), say=lambda line: None, driver=script)
        await card.open()
        session: AgentSession[Any] = AgentSession(stt="local/", tts="local/flite")
        session.input.audio, session.output.audio = card.microphone, card.speaker
        await session.start(Agent(instructions=""))
        there = Room(session, script)
        while card.echo is None or card.echo.duplex is not Duplex.FULL:
            await there.ended(session.say("Good morning, and welcome."))
        yield there
        await session.aclose()
        await card.close()


@pytest.mark.parametrize(("gain", "over"), [(-10, 3.4), (-3, 0.7)])
async def test_a_hum_a_cough_and_a_slammed_door_over_an_echo_end_no_reply(
    gain: float, over: float
) -> None:
    hums_and_cough = read_wav(CALLERS / "hums.wav").samples[107_000:155_000]
    pause = np.zeros(24_000, np.int16)
    async with room(gain) as there:
        speech = await there.hears(np.concatenate([hums_and_cough, pause, slam()]), over=over)
        assert there.records("pause", "resume")  # it was heard
        assert not speech.interrupted, there.session.timeline.records


async def test_the_words_of_a_barge_in_over_an_echo_are_heard_from_the_first_one_on(
    say: Callable[..., Samples],  # noqa: F811
) -> None:
    """Each of them is recognised without an error when the agent is silent.

    Of 40 such barge-ins by two voices, what WebRTC's canceller leaves had 11 first words.
    """
    heard = []
    for gain, over, voice, text in BARGE_INS:
        async with room(gain) as there:
            speech = await there.hears(
                np.concatenate([say(text, voice), np.zeros(8000, np.int16)]), over=over
            )
            assert speech.interrupted
            heard.append((text, there.words()))
    right = [text for text, words in heard if words.split()[:1] == text.split()[:1]]
    assert len(right) >= len(BARGE_INS) - 1, heard


@pytest.mark.parametrize("gain", [-10, -3])
async def test_a_caller_who_speaks_over_an_echo_ends_the_reply(gain: float) -> None:
    async with room(gain) as there:
        voice = read_wav(CALLERS / "hums.wav").samples[32_000:80_000]
        speech = await there.hears(voice, over=2.0)
        assert speech.interrupted
