"""Told `use_tts_aligned_transcript`, transcription_node gets the words as the voice times them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents.types import TimedString

from antiphon import Agent
from antiphon.simulate import ScriptedLLM, ScriptedSTT, ScriptedTTS
from tests.agent.test_session_nodes import Captions
from tests.scripted import Call, Voice, at, check, hold, sentence, user
from tests.scripted_models import in_turn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from antiphon import ModelSettings

ANSWER = " ".join(sentence(first) for first in (0, 10, 20))
ALIGNED: Any = {"use_tts_aligned_transcript": True}


class Reads(Agent):
    """Shows what its voice says in capitals, and remembers what it was given."""

    def __init__(self, call: Call, *, streaming: bool = True, **options: Any) -> None:
        voice = ScriptedTTS(voice=call.voice, streaming=streaming)
        model = ScriptedLLM(in_turn([ANSWER]))
        super().__init__(instructions="", stt=ScriptedSTT(), llm=model, tts=voice, **options)
        self.given: list[str] = []

    async def transcription_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[str, None]:
        async for part in text:
            self.given.append(part)
            yield part.upper()


def answered(make: Callable[[Call], Agent], *acts: Any, **options: Any) -> tuple[Call, Any]:
    call = Call(voice=options.pop("voice", None))
    hold(user(0.2, 0.8, "zaza"), *acts, agent=make, call=call, **options)
    return call, call.agent


def times(given: list[str]) -> list[float]:
    return [part.end_time for part in given if isinstance(part, TimedString)]  # type: ignore[misc]


@pytest.mark.parametrize("streaming", [True, False])
def test_the_words_come_with_their_times_from_the_start_of_the_speech(streaming: bool) -> None:
    call, agent = answered(lambda call: Reads(call, streaming=streaming), **ALIGNED)
    assert "".join(agent.given).strip() == ANSWER
    assert [part.strip() for part in agent.given] == call.heard
    spoken = 0
    for end, samples in zip(times(agent.given), call.voice.lengths, strict=True):
        spoken += samples
        assert end == pytest.approx(spoken / 1000)
    assert call.text("assistant") == [word.upper() for word in call.heard]


def test_an_agents_own_choice_holds_over_the_sessions() -> None:
    _, agent = answered(lambda call: Reads(call, use_tts_aligned_transcript=False), **ALIGNED)
    assert not times(agent.given)
    _, agent = answered(lambda call: Reads(call, **ALIGNED))
    assert len(times(agent.given)) == len(ANSWER.split())


@pytest.mark.parametrize("moment", [1.5 + 0.05 * n for n in range(30)])
def test_history_and_captions_have_the_words_that_were_heard_and_no_others(moment: float) -> None:
    captions = Captions()

    def attach(call: Call) -> None:
        call.session.output.transcription = captions

    cut = at(moment, lambda call: call.session.interrupt(force=True))
    call, _ = answered(Reads, at(0.0, attach), cut, **ALIGNED)
    assert call.text("assistant") == [word.upper() for word in call.heard]
    assert captions.segments[0].split() == [word.upper() for word in call.heard]


def test_a_voice_that_times_no_word_leaves_the_written_text() -> None:
    call, agent = answered(Reads, voice=Voice(timed=False), **ALIGNED)
    check_written(call, agent)

    def boastful(call: Call) -> Reads:
        agent = Reads(call)
        assert agent.tts is not None
        agent.tts.capabilities.aligned_transcript = True
        return agent

    call, agent = answered(boastful, voice=Voice(timed=False), **ALIGNED)
    check_written(call, agent)


def check_written(call: Call, agent: Reads) -> None:
    assert not times(agent.given)
    assert "".join(agent.given).split() == ANSWER.split()
    assert call.text("assistant") == [word.upper() for word in call.heard]


def test_a_node_that_fails_or_stops_reading_takes_no_word_away() -> None:
    class Fails(Reads):
        async def transcription_node(
            self, text: AsyncIterable[str], model_settings: ModelSettings
        ) -> AsyncGenerator[str, None]:
            async for part in text:
                yield part
                raise LookupError("no transcript")

    call, _ = answered(Fails, **ALIGNED)
    check(call)
    assert call.heard == ANSWER.split()
