"""Conversations through a sound card made of null sinks, with the built-in engines, in real time.

Nothing here asks how long anything took: sound is compared with sound, and with the timeline.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import soxr
from livekit import rtc

from antiphon import Agent, AgentSession
from antiphon.nodes.console import SoundCard, Wanted
from antiphon.nodes.echo import Duplex
from antiphon.nodes.local.stt import PocketsphinxSTT
from antiphon.nodes.outputs import Speaker
from antiphon.nodes.wav import read_wav
from antiphon.pipeline.streams import Scope
from tests.nodes.local.test_stt import errors, hear
from tests.nodes.test_console_sound import murmur, reached
from tests.rooms.singing import LENGTH, WORDS, Singer, plain, song
from tests.sound_card import RATE, slam, without_gaps

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable

    from livekit.agents import ModelSettings

    from antiphon.nodes.local.sound import Samples
    from antiphon.pipeline.timeline import Record
    from tests import sound_card as virtual

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(200)]

CALLERS = Path(__file__).parents[2] / "samples" / "callers"
CUTS: Final = int(os.environ.get("ANTIPHON_CUTS", "5"))
MINUTES: Final = float(os.environ.get("ANTIPHON_ECHO_MINUTES", "0.2"))
WELCOME: Final = "Good morning, and welcome."
TALK: Final = (
    "The library is next to the town hall, and the tram stops right in front of it.",
    "Take the number seven, and get off at the market square.",
    "Please bring a valid card with you when you come for the first time.",
    "The reading room closes half an hour earlier than the rest of the house.",
)


class Reader(Agent):
    """Says the next two sentences to whatever it is told."""

    def __init__(self) -> None:
        super().__init__(instructions="")
        self._lines = cycle(TALK)

    async def llm_node(self, *_: Any) -> AsyncGenerator[str, None]:
        yield f"{next(self._lines)} {next(self._lines)}"


class Untimed(Singer):
    """Each word is a murmur of its own, and nobody says when it is heard."""

    def __init__(self) -> None:
        super().__init__([])

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async for chunk in text:
            for word in plain(chunk):
                sound = murmured(word)
                yield rtc.AudioFrame(sound.tobytes(), RATE, 1, len(sound))


def murmured(*words: str) -> Samples:
    return np.concatenate([murmur(LENGTH, WORDS.index(word)) for word in words])


class Counted(Speaker):
    """Counts what a speaker was given and never took back: what the ledger calls heard."""

    def __init__(self, speaker: Speaker) -> None:
        super().__init__(label="counted", rate=speaker.rate)
        self._speaker = speaker
        self.samples = 0

    def write(self, pcm: memoryview) -> None:
        self.samples += len(pcm)
        self._speaker.write(pcm)

    def held(self) -> int:
        return self._speaker.held()

    def drop(self) -> int:
        dropped = self._speaker.drop()
        self.samples -= dropped
        return dropped


class Call:
    """A session on the virtual card. Mutable: what is reported, and what the canceller heard."""

    def __init__(self, session: AgentSession[Any], card: SoundCard) -> None:
        self.session = session
        self.card = card
        self.learned: list[str] = []

    def records(self, *kinds: str) -> list[Record]:
        return [record for record in self.session.timeline.records if record.kind in kinds]

    @property
    def messages(self) -> list[tuple[str, str, bool]]:
        """Who said what, and whether it was cut."""
        return [
            (item.role, item.text_content or "", item.interrupted)
            for item in self.session.history.messages()
            if item.role in ("user", "assistant")
        ]

    async def until(self, true: Callable[[], bool]) -> None:
        """The test's own time limit ends a wait in vain."""
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def learn(self) -> None:
        """Let the canceller hear the agent until it knows the room; `learned` is what it heard."""
        while self.card.echo is None or self.card.echo.duplex is not Duplex.FULL:
            await self.session.say(WELCOME)
            self.learned.append(WELCOME)


@asynccontextmanager
async def calling(wanted: Wanted, agent: Agent | None = None) -> AsyncIterator[Call]:
    async with Scope("call") as scope:
        card = SoundCard(scope, wanted, say=lambda line: None)
        await card.open()
        session: AgentSession[Any] = AgentSession(stt="local/", tts="local/")
        session.input.audio = card.microphone
        session.output.audio = card.speaker
        await session.start(agent or Reader())
        try:
            yield Call(session, card)
        finally:
            await session.aclose()
            await card.close()


async def test_what_comes_out_of_the_speaker_is_what_history_holds(
    sound_card: virtual.SoundCard,
) -> None:
    async with calling(Wanted(aec=False)) as call:
        sound_card.listen()
        sound_card.speak(read_wav(CALLERS / "hums.wav").samples[40_000:85_000])
        await call.until(lambda: len(call.messages) >= 2)
        messages = call.messages
        captured = sound_card.heard()

    assert [role for role, _, _ in messages[:2]] == ["user", "assistant"]
    assert messages[0][1]
    said = " ".join(text for role, text, _ in messages if role == "assistant")
    found = await recognised(captured)
    expected = said.lower().replace(",", "").replace(".", "").split()
    assert errors(expected, found) <= 0.15 * len(expected), (expected, found)


@pytest.mark.timeout(60 + 10 * CUTS)
async def test_what_was_heard_at_the_speaker_until_a_cut_is_what_ledger_and_history_hold(
    sound_card: virtual.SoundCard,
) -> None:
    moments = np.random.default_rng(6).uniform(0.2, 4.0, CUTS)
    apart, words = [], []
    async with calling(Wanted(aec=False), Untimed()) as call:
        for moment in moments:
            call.session.output.audio = counted = Counted(call.card.speaker)
            sound_card.listen()
            speech = call.session.say(song(24))
            await call.until(lambda: sounding(sound_card.heard()) >= moment)  # noqa: B023
            await call.session.interrupt()
            await speech
            await call.until(lambda: not sound_card.heard()[-RATE // 4 :].any())
            heard = reached(murmured(*plain(song(24))), sound_card.heard()) / RATE
            apart.append(heard - counted.samples / RATE)
            told = call.messages[-1][1] if speech.chat_items else ""
            words.append(heard / LENGTH - len(plain(told)))

    assert max(map(abs, apart)) <= 0.02, apart
    # A word is held when it was heard to its end.
    assert min(words) >= -0.5, words
    assert max(words) <= 1.5, words


def sounding(captured: Samples) -> float:
    """Seconds of sound, without the gaps that a busy machine makes."""
    return len(without_gaps(captured)) / RATE


async def recognised(captured: Samples) -> list[str]:
    """The words in what came out of the speaker."""
    sound = soxr.resample(captured, RATE, 16_000)
    heard = await hear(PocketsphinxSTT(), sound.astype(np.int16), np.zeros(16_000, np.int16))
    return " ".join(heard.texts).split()


@pytest.mark.parametrize("gain", [-10, -3])
@pytest.mark.timeout(120 + 90 * MINUTES)
async def test_an_agent_takes_a_caller_for_one_and_its_own_echo_for_none(
    gain: int, sound_card: virtual.SoundCard
) -> None:
    sound_card.echo(gain, 0.04)
    async with calling(Wanted(aec=True)) as call:
        await call.learn()
        loop = asyncio.get_running_loop()
        ends = loop.time() + 60 * MINUTES
        for line in cycle(TALK):
            await call.session.say(line)
            if loop.time() > ends:
                break
        spoken = len([text for role, text, _ in call.messages if role == "assistant"])

        assert spoken >= 8 * MINUTES
        assert call.records("pause", "cut", "transcript") == []
        assert not any(cut for _, _, cut in call.messages)
        await stopped_by_voice(call, sound_card)


async def test_a_caller_who_speaks_over_the_agent_stops_it(sound_card: virtual.SoundCard) -> None:
    async with calling(Wanted(aec=True)) as call:
        await call.learn()
        await stopped_by_voice(call, sound_card)


async def stopped_by_voice(call: Call, sound_card: virtual.SoundCard) -> None:
    speech = call.session.say(" ".join(TALK))
    await call.until(lambda: call.session.agent_state == "speaking")
    sound_card.speak(read_wav(CALLERS / "hums.wav").samples[32_000:])
    await call.until(speech.done)

    assert speech.interrupted
    history = next(text for role, text, cut in call.messages if cut)
    assert " ".join(TALK).startswith(history.removesuffix("…").rstrip())


async def test_a_cough_a_hum_and_a_slammed_door_do_not_end_a_reply(
    sound_card: virtual.SoundCard,
) -> None:
    hums_and_cough = read_wav(CALLERS / "hums.wav").samples[107_000:155_000]
    pause = np.zeros(24_000, np.int16)
    async with calling(Wanted(aec=True)) as call:
        await call.learn()
        speech = call.session.say(" ".join(TALK))
        await call.until(lambda: call.session.agent_state == "speaking")
        sound_card.speak(np.concatenate([pause, hums_and_cough, pause, slam()]))
        await call.until(speech.done)

        assert call.records("pause")  # it was heard
        assert not speech.interrupted, call.records("transcript", "cut")
        assert [text for role, text, _ in call.messages] == [*call.learned, " ".join(TALK)]
