"""What a provider does wrong is one clear error; nothing said is lost, and the next turn works."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, llm, tts
from livekit.agents.types import TimedString

from antiphon import Agent, CloseReason
from antiphon.options import ConnectOptions
from antiphon.pipeline.source import Limits
from antiphon.simulate import (
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    Voice,
    pauses,
    says,
    simulate,
)
from antiphon.simulated_models import Thinking
from tests.scripted import RATE, Call, Making, Plain, check_sound, hold, stories, user
from tests.scripted_agent import Voice as SlowVoice
from tests.scripted_models import ONCE, in_turn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

TWICE = APIConnectOptions(max_retry=1, retry_interval=0.1, timeout=10.0)
PATIENCE_OF_SOUND = Limits().sound
CONNECT = ConnectOptions(stt_conn_options=ONCE, llm_conn_options=ONCE, tts_conn_options=ONCE)


class FailingMind(ScriptedLLM):
    """The first request fails: before its first token, or after `tokens` of them."""

    def __init__(self, *, tokens: int = 0, times: int = 1) -> None:
        super().__init__(in_turn())
        self.tokens, self.times = tokens, times

    def chat(self, **options: Any) -> llm.LLMStream:
        if len(self.asked) >= self.times:
            return super().chat(**options)
        self.asked.append(options["chat_ctx"])
        context, tools = options["chat_ctx"], options.get("tools") or []
        said = " ".join(str(self._answer(context)).split()[: self.tokens])
        common = {"chat_ctx": context, "tools": tools, "conn_options": options["conn_options"]}
        return _Failing(self, said, **common)


class _Failing(Thinking):
    async def _run(self) -> None:
        await super()._run()
        raise APIConnectionError("the model is gone")


class FailingMouth(ScriptedTTS):
    """The first `times` requests end without sound, or fail after `words` words."""

    def __init__(self, voice: Voice, *, words: int = 0, times: int = 1) -> None:
        super().__init__(voice=voice)
        self.words, self.times = words, times

    def synthesize(self, text: str, **options: Any) -> tts.ChunkedStream:
        self.times -= 1
        if self.times < 0:
            return super().synthesize(text, **options)
        return _Breaking(tts=self, input_text=text, conn_options=ONCE)


class _Breaking(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        mouth: FailingMouth = self._tts  # type: ignore[assignment]
        output_emitter.initialize(
            request_id="said", sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
        )
        await asyncio.sleep(mouth.voice.first)
        end = 0.0
        words = self.input_text.split()[: mouth.words]
        for word, frame in zip(words, mouth.voice.frames(" ".join(words)), strict=True):
            end += frame.duration
            output_emitter.push_timed_transcript(TimedString(word, end_time=end))
            output_emitter.push(bytes(frame.data))
            output_emitter.flush()
            await asyncio.sleep(0.05)
        raise APIError("the voice is gone")


def made_of(mind: ScriptedLLM | None, mouth: type[FailingMouth] | None, **how: Any) -> Making:
    def make(call: Call) -> Agent:
        voice = mouth(call.voice, **how) if mouth else ScriptedTTS(voice=call.voice)
        model = mind or ScriptedLLM(in_turn())
        return Agent(instructions="", stt=ScriptedSTT(), llm=model, tts=voice)

    return make


def two_turns(make: Making, **options: Any) -> Call:
    return hold(
        user(0.2, 0.8, "zaza zeze"),
        user(8.0, 8.6, "zizi"),
        agent=make,
        conn_options=CONNECT,
        turn_handling={"preemptive_generation": {"enabled": False}},
        **options,
    )


def answered_in_the_end(call: Call) -> None:
    assert call.text("user") == call.caller.words
    assert not call.log, [record.getMessage() for record in call.log]
    assert call.messages[-1].role == "assistant"
    assert not call.messages[-1].interrupted


def test_a_model_that_refuses_is_one_error_and_the_next_turn_is_answered() -> None:
    call = two_turns(made_of(FailingMind(), None))
    answered_in_the_end(call)
    (error,) = call.reported("error")
    assert error.error.type == "llm_error"
    assert [m.role for m in call.messages] == ["user", "user", "assistant"]


def test_the_error_of_a_model_that_was_tried_again_says_what_is_wrong_with_it() -> None:
    class Gone(FailingMind):
        def chat(self, **options: Any) -> llm.LLMStream:
            return super().chat(**{**options, "conn_options": TWICE})

    call = two_turns(made_of(Gone(times=1), None))
    assert [str(event.error.error.message) for event in call.reported("error")] == [
        "the model is gone",  # tried again
        "the model is gone",
    ]


@pytest.mark.parametrize("tokens", range(1, 24, 3))
def test_a_model_that_dies_twice_is_heard_to_its_last_token(tokens: int) -> None:
    mind = FailingMind(tokens=tokens, times=2)
    call = two_turns(made_of(mind, None))
    answered_in_the_end(call)
    errors = [event.error.recoverable for event in call.reported("error")]
    assert errors == [True, False]
    cut = call.messages[1]
    assert cut.role == "assistant"
    assert len((cut.text_content or "").split()) == 2 * tokens
    assert cut.interrupted


@pytest.mark.parametrize("tokens", range(1, 24, 3))
def test_a_model_that_dies_in_the_middle_is_asked_for_the_rest(tokens: int) -> None:
    first, rest = islice(stories(), 2)
    mind = FailingMind(tokens=tokens)
    call = two_turns(made_of(mind, None))
    answered_in_the_end(call)
    (error,) = call.reported("error")
    assert error.error.recoverable
    whole = call.messages[1]
    assert (whole.text_content or "").split() == first.split()[:tokens] + rest.split()
    assert not whole.interrupted
    told = mind.asked[1].items[-1]
    assert isinstance(told, llm.ChatMessage)
    assert told.role == "assistant"
    assert (told.text_content or "").split() == first.split()[:tokens]


@pytest.mark.parametrize("tokens", range(1, 24, 3))
def test_what_it_had_said_is_not_said_again_if_it_begins_anew(tokens: int) -> None:
    first, other = islice(stories(), 2)
    mind = FailingMind(tokens=tokens)
    mind.replies = in_turn([first, first, other])
    call = two_turns(made_of(mind, None))
    answered_in_the_end(call)
    assert (call.messages[1].text_content or "").split() == first.split()
    assert call.text("assistant") == call.heard


@pytest.mark.parametrize("words", [0, 1, 3])
def test_a_voice_that_dies_is_one_error_and_history_has_what_was_heard(words: int) -> None:
    call = two_turns(made_of(None, FailingMouth, words=words))
    answered_in_the_end(call)
    (error,) = call.reported("error")
    assert error.error.type == "tts_error"
    first = [m for m in call.messages if m.role == "assistant"][0]
    assert len(call.messages) == (4 if words else 3)
    if words:
        assert (first.text_content or "").split() == call.heard[:words]
        assert first.interrupted


class Flaky(ScriptedLLM):
    """Each request fails once, and works when it is tried again."""

    def chat(self, **options: Any) -> llm.LLMStream:
        self.asked.append(options["chat_ctx"])
        context, tools = options["chat_ctx"], options.get("tools") or []
        common = {"chat_ctx": context, "tools": tools, "conn_options": options["conn_options"]}
        return _Flaking(self, self._answer(context), **common)


class _Flaking(Thinking):
    tried = False

    async def _run(self) -> None:
        if not self.tried:
            self.tried = True
            raise APIConnectionError("the model is away")
        await super()._run()


class TimesOut(Agent):
    """One of its nodes raises what most clients raise when they wait too long."""

    def __init__(self, node: str, after: int) -> None:
        super().__init__(instructions="")
        self.node, self.after = node, after

    async def llm_node(self, *_: object) -> AsyncGenerator[str, None]:
        for number, sentence in enumerate(("The first is this. ", "The second is that.")):
            if self.node == "llm" and number == self.after:
                raise TimeoutError("the provider timed out")
            yield sentence

    async def tts_node(self, text: Any, settings: Any) -> AsyncGenerator[Any, None]:
        number = 0
        async for frame in Agent.default.tts_node(self, text, settings):
            if self.node == "tts" and number == self.after:
                raise TimeoutError("the provider timed out")
            yield frame
            number += 1


@pytest.mark.parametrize(("node", "after"), [("llm", 0), ("llm", 1), ("tts", 0), ("tts", 3)])
def test_a_node_that_raises_timeout_error_has_failed(node: str, after: int) -> None:
    call = simulate(TimesOut(node, after), [says("hello"), pauses(4)], allow_errors=True)
    told = [str(event.error.error) for event in call.reported("error")]
    assert told[-1] == "the provider timed out"
    replies = [item for item in call.messages if item.role == "assistant"]
    assert all(item.interrupted for item in replies)
    assert bool(replies) is (node == "llm" and after == 1)


def test_what_a_model_mends_by_its_own_retries_is_told_of_as_that() -> None:
    call = hold(user(0.2, 0.8, "zaza zeze"), agent=made_of(Flaky(in_turn()), None))
    check_sound(call)
    answered_in_the_end(call)
    assert {event.error.recoverable for event in call.reported("error")} == {True}
    assert not call.records("error")


class Deaf(Plain):
    """A recogniser that fails `times` times, each after `after` events."""

    def __init__(self, call: Call, *, times: int, after: int = 0) -> None:
        super().__init__(call.caller, call.voice)
        self.times, self.after = times, after

    async def stt_node(self, *_: object) -> AsyncGenerator[Any, None]:
        self.times -= 1
        failing = self.times >= 0
        heard = 0
        while not failing or heard < self.after:
            yield await self.caller.speech.get()
            heard += 1
        raise LookupError("the recogniser is gone")


@pytest.mark.parametrize("after", range(1, 4))
def test_a_recogniser_that_dies_is_started_again_and_loses_no_word_it_gave(after: int) -> None:
    call = hold(
        user(0.2, 0.8, "zaza zeze"),
        user(5.0, 5.6, "zizi"),
        agent=lambda call: Deaf(call, times=1, after=after),
    )
    answered_in_the_end(call)
    assert len(call.reported("error")) == 1
    assert call.reported("error")[0].error.type == "stt_error"


def test_a_recogniser_that_keeps_failing_ends_the_session_with_an_error() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=lambda call: Deaf(call, times=10**6), until=30.0)
    assert len(call.reported("error")) == ConnectOptions().max_unrecoverable_errors + 1
    (closed,) = call.reported("close")
    assert closed.reason is CloseReason.ERROR
    assert "the recogniser is gone" in str(closed.error)


def test_a_model_that_keeps_failing_ends_the_session_with_an_error() -> None:
    mind = FailingMind(times=10**6)
    cues = [user(0.2 + 3 * n, 0.8 + 3 * n, f"zaza{'abcdefgh'[n]}") for n in range(6)]
    call = hold(*cues, agent=made_of(mind, None), conn_options=CONNECT, until=30.0)
    (closed,) = call.reported("close")
    assert closed.reason is CloseReason.ERROR
    assert len(call.reported("error")) == ConnectOptions().max_unrecoverable_errors + 1


def test_a_recogniser_that_ends_without_a_word_is_one_error() -> None:
    class Silent(Plain):
        async def stt_node(self, *_: object) -> AsyncGenerator[Any, None]:
            return
            yield

    call = hold(
        user(0.2, 0.8, "zaza"), agent=lambda call: Silent(call.caller, call.voice), until=20
    )
    assert len(call.reported("error")) == 1


def test_an_error_is_told_at_the_time_of_the_conversation() -> None:
    call = simulate(TimesOut("llm", 0), [pauses(100), says("hello"), pauses(1)], allow_errors=True)
    (failed,) = call.reported("error")
    (asked,) = [item for item in call.messages if item.role == "user"]
    assert failed.created_at == failed.error.timestamp == pytest.approx(asked.created_at, abs=2.0)
    began = call.session.conversation.memory.wall(call.start)
    assert failed.created_at - began > 100


class Mute(ScriptedLLM):
    """Its first request never gives anything."""

    def chat(self, **options: Any) -> llm.LLMStream:
        self.first_token = 10_000.0 if not self.asked else 0.2
        return super().chat(**options)


def test_a_model_that_is_silent_is_told_of_and_not_the_voice() -> None:
    call = hold(
        user(0.2, 0.8, "zaza zeze"), user(50.0, 50.6, "zizi"), agent=made_of(Mute(in_turn()), None)
    )
    answered_in_the_end(call)
    (error,) = call.reported("error")
    assert error.error.type == "llm_error"
    assert "llm_node gave nothing" in str(error.error.error)


def test_a_voice_that_is_asked_late_is_not_taken_for_silent() -> None:
    """The model's first words come when nothing was heard for as long as a voice may be silent."""
    late = ScriptedLLM(in_turn())
    call = Call(SlowVoice(first=2.0))
    late.first_token = PATIENCE_OF_SOUND - 1.0
    now = {"preemptive_generation": {"enabled": False}}
    asked = user(0.2, 0.8, "zaza zeze")
    held = hold(asked, agent=made_of(late, None), call=call, turn_handling=now)
    answered_in_the_end(held)
    assert held.reported("error") == []
