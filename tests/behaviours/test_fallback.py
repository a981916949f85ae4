"""A model that dies, is slow, or dies in the middle of a sentence: one coherent reply is heard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectionError, APITimeoutError
from livekit.agents.types import TimedString

from antiphon import Agent, llm, tts
from antiphon.simulate import (
    OWN,
    Call,
    ScriptedLLM,
    ScriptedTTS,
    Voice,
    listens,
    pauses,
    says,
    simulate,
)
from antiphon.simulated_models import RATE

if TYPE_CHECKING:
    from livekit.agents import APIConnectOptions

SAID = "The soup today is leek and potato, and the pie is made of apples from our own garden."
WORDS = SAID.split()
REST = "There is bread with it."
AT_ONCE = {"preemptive_generation": {"enabled": False}}


class Mind(llm.LLM[Any]):
    """Says `text`; dies after `lives` words, in its first `times` requests. `ids`: each request's
    chunks are named anew, as most providers do."""

    def __init__(
        self, text: str = SAID, *, lives: int | None = None, times: int = 1, ids: bool = True
    ) -> None:
        super().__init__()
        self.text, self.lives, self.times, self.ids = text, lives, times, ids
        self.asked: list[llm.ChatContext] = []
        self.silent = False

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        return Thinking(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class Thinking(llm.LLMStream):
    async def _run(self) -> None:
        mind: Mind = self._llm  # type: ignore[assignment]
        mind.asked.append(self._chat_ctx.copy())
        number = len(mind.asked)
        if mind.silent:
            await asyncio.sleep(self._conn_options.timeout)
            raise APITimeoutError("it is silent")
        await asyncio.sleep(0.2)
        dies = mind.lives is not None and number <= mind.times
        words = mind.text.split()[: mind.lives] if dies else mind.text.split()
        for word in words:
            delta = llm.ChoiceDelta(role="assistant", content=word + " ")
            name = f"{id(mind)}-{number}" if mind.ids else ""
            self._event_ch.send_nowait(llm.ChatChunk(id=name, delta=delta))
            await asyncio.sleep(0.02)
        if dies:
            raise APIConnectionError("the model is gone")


def rest_of(chat_ctx: llm.ChatContext) -> str:
    """A model that goes on where it is told that it was."""
    last = chat_ctx.messages()[-1]
    said = (last.text_content or "").split() if last.role == "assistant" else []
    return " ".join(WORDS[len(said) :])


def told(call: Call, *, recoverable: bool) -> list[Any]:
    return [each for each in call.reported("error") if each.error.recoverable is recoverable]


def held(model: llm.LLM[Any], voice: tts.TTS[Any] | None = None, *acts: Any, **more: Any) -> Call:
    agent = Agent(instructions="Be brief.", llm=model, tts=voice or ScriptedTTS())
    script = acts or (says("what is there today"), listens())
    return simulate(agent, script, llm=OWN, tts=OWN, turn_handling=AT_ONCE, **more)


def test_a_dead_model_is_not_noticed_by_the_listener() -> None:
    call = held(llm.FallbackAdapter([Mind(lives=0, times=99), Mind()]))
    assert call.said("agent") == [SAID]
    assert call.reported("error") == []


def test_a_model_that_gives_nothing_is_waited_for_as_long_as_the_adapter_says() -> None:
    mute = Mind()
    mute.silent = True
    call = held(llm.FallbackAdapter([mute, Mind()], attempt_timeout=1.5))
    assert call.said("agent") == [SAID]
    (answered,) = call.records("delay")
    assert answered.detail["parts"]["model"] == pytest.approx(1.5 + 0.2)  # type: ignore[index]
    assert call.reported("error") == []


def test_a_model_whose_client_waits_for_ever_is_left_when_the_adapter_says() -> None:
    stuck = ScriptedLLM(lambda _: "never", first_token=10_000.0)
    adapter = llm.FallbackAdapter([stuck, Mind()], attempt_timeout=1.5)
    told: list[Any] = []
    adapter.on("llm_availability_changed", told.append)
    call = held(adapter)
    assert call.said("agent") == [SAID]
    (answered,) = call.records("delay")
    assert answered.detail["parts"]["model"] == pytest.approx(1.5 + 0.2)  # type: ignore[index]
    assert [(event.llm is stuck, event.available) for event in told] == [(True, False)]


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("lives", range(1, 17, 3))
def test_a_model_that_dies_in_a_sentence_is_followed_by_one_that_goes_on(
    lives: int, again: bool
) -> None:
    second = ScriptedLLM(rest_of)
    adapter = llm.FallbackAdapter([Mind(lives=lives, times=99), second], retry_on_chunk_sent=again)
    call = held(adapter, allow_errors=True)
    assert call.said("agent") == [SAID]
    assert told(call, recoverable=False) == []
    assert len(told(call, recoverable=True)) == 1


@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("lives", range(1, 17, 3))
def test_a_model_that_tries_again_by_itself_is_heard_once(lives: int, ids: bool) -> None:
    mind = Mind(lives=lives, ids=ids)
    call = held(mind, allow_errors=True)
    assert call.said("agent") == [SAID]
    assert told(call, recoverable=False) == []


def test_a_model_that_failed_before_its_first_word_may_try_again() -> None:
    mind = Mind(lives=0)
    call = held(mind, allow_errors=True)
    assert call.said("agent") == [SAID]
    assert len(mind.asked) == 2


class Mouth(ScriptedTTS):
    """Dies after `lives` words of sound, in its first `times` requests."""

    def __init__(
        self, voice: Voice, *, lives: int | None = None, times: int = 1, streaming: bool = False
    ) -> None:
        super().__init__(voice=voice, streaming=streaming)
        self.lives, self.times = lives, times
        self.texts: list[str] = []
        self._made: dict[str, list[Any]] = {}  # the same text sounds the same

    def dies(self) -> bool:
        self.times -= 1
        return self.lives is not None and self.times >= 0

    def synthesize(self, text: str, *, conn_options: APIConnectOptions = ...) -> Any:  # type: ignore[assignment]
        return Speaking(tts=self, input_text=text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = ...) -> Any:  # type: ignore[assignment]
        return Streaming(tts=self, conn_options=conn_options)

    async def utter(self, text: str, emitter: tts.AudioEmitter, end: float) -> float:
        self.texts.append(text)
        await asyncio.sleep(self.voice.first)
        dies, words = self.dies(), text.split()
        words = words[: self.lives] if dies else words
        made = self._made.setdefault(text, [])
        if left := words[len(made) :]:
            made += self.voice.frames(" ".join(left))
        for word, frame in zip(words, made, strict=False):
            end += frame.duration
            if self.voice.timed:
                emitter.push_timed_transcript(TimedString(word, end_time=end))
            emitter.push(bytes(frame.data))
            await asyncio.sleep(frame.duration / self.voice.speed)
        if dies:
            emitter.flush()
            await asyncio.sleep(0.01)  # what was made is on its way
            raise APIConnectionError("the voice is gone")
        return end


class Speaking(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        mouth: Mouth = self._tts  # type: ignore[assignment]
        name = f"{id(mouth)}-{len(mouth.texts)}"
        output_emitter.initialize(
            request_id=name, sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
        )
        await mouth.utter(self.input_text, output_emitter, 0.0)


class Streaming(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        mouth: Mouth = self._tts  # type: ignore[assignment]
        name = f"{id(mouth)}-{len(mouth.texts)}"
        output_emitter.initialize(
            request_id=name, sample_rate=RATE, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id=name)
        end = 0.0
        async for text in self._input_ch:
            if isinstance(text, str):
                self._mark_started()
                end = await mouth.utter(text, output_emitter, end)
        output_emitter.end_segment()


def spoken(call: Call, voice: Voice) -> list[str]:
    """The words whose sound was played, in order; of a word that was begun anew, each."""
    heard: list[int] = []
    for _, pcm in call.played:
        for value in pcm:
            if value and (not heard or heard[-1] != value):
                heard.append(int(value))
    return [voice.made[value - 1] for value in heard]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("lives", [0, *range(1, 17, 3)])
def test_a_voice_that_dies_in_a_sentence_is_followed_by_one_that_says_the_rest(
    lives: int, streaming: bool
) -> None:
    voice = Voice()
    first = Mouth(voice, lives=lives, times=99, streaming=streaming)
    second = Mouth(voice, streaming=streaming)
    call = held(Mind(), tts.FallbackAdapter([first, second], max_retry_per_tts=0))
    assert call.said("agent") == [SAID]
    assert spoken(call, voice) == WORDS
    assert call.reported("error") == []


@pytest.mark.parametrize("lives", range(1, 17, 3))
def test_where_no_times_are_given_the_rest_is_guessed_from_the_pace(
    lives: int,
) -> None:
    voice = Voice(timed=False)
    first, second = Mouth(voice, lives=lives, times=99), Mouth(voice)
    call = held(Mind(), tts.FallbackAdapter([first, second], max_retry_per_tts=0))
    assert call.said("agent") == [SAID]
    heard = spoken(call, voice)
    assert set(heard) == set(WORDS)
    assert len(heard) <= len(WORDS) + 3


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("lives", range(1, 17, 3))
def test_a_voice_that_tries_again_by_itself_is_heard_once(lives: int, timed: bool) -> None:
    voice = Voice(timed=timed)
    call = held(Mind(), Mouth(voice, lives=lives), allow_errors=True)
    assert call.said("agent") == [SAID]
    assert spoken(call, voice) == WORDS
    assert told(call, recoverable=False) == []


def test_a_voice_that_gives_nothing_is_waited_for_as_long_as_the_adapter_says() -> None:
    mute, second = Mouth(Voice(first=99.0)), ScriptedTTS()
    adapter = tts.FallbackAdapter([mute, second], attempt_timeout=1.5)
    call = held(Mind(), adapter)
    assert call.said("agent") == [SAID]
    (answered,) = call.records("delay")
    assert answered.detail["parts"]["voice"] == pytest.approx(1.5 + 0.1, abs=0.2)  # type: ignore[index]


def test_a_voice_that_died_is_asked_again_after_a_while() -> None:
    voice = Voice()
    first, second = Mouth(voice, lives=0, times=1), Mouth(voice)
    adapter = tts.FallbackAdapter([first, second], max_retry_per_tts=0)
    script = [says("one"), listens(), says("two"), listens(), pauses(40), says("three"), listens()]
    call = held(Mind("Yes."), adapter, *script, user_away_timeout=None)
    assert call.said("agent") == ["Yes."] * 3
    assert (len(first.texts), len(second.texts)) == (2, 2)


def test_when_no_voice_is_left_that_is_one_error() -> None:
    voice = Voice()
    adapter = tts.FallbackAdapter(
        [Mouth(voice, lives=2, times=99), Mouth(voice, lives=0, times=99)], max_retry_per_tts=0
    )
    call = held(Mind(), adapter, allow_errors=True)
    (error,) = told(call, recoverable=False)
    assert error.error.type == "tts_error"
    assert "the voice is gone" in str(error.error.error)
    assert call.said("agent") == [" ".join(WORDS[:2])]
