"""What is measured of each message, and what the models say they have used."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import metrics

from antiphon import Agent, AgentSession, llm
from antiphon.simulate import ScriptedLLM
from tests.agent.test_session_nodes import Foreign
from tests.scripted import Call, Plain, at, check, hold, sentence, user
from tests.scripted_models import in_turn, modelled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit import rtc

ONE, TWO = sentence(0), sentence(10)

PLAIN_TURN: dict[str, Any] = {"preemptive_generation": {"enabled": False}}


class Hooked(Plain):
    async def on_user_turn_completed(self, *_: object) -> None:
        await asyncio.sleep(0.4)


def test_a_turn_of_the_users_knows_its_delays() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=lambda call: Hooked(call.caller, call.voice, [ONE]))
    check(call)
    measured = call.messages[0].metrics
    begun = call.session.conversation.memory.wall(0.0)
    assert measured["started_speaking_at"] - begun == pytest.approx(0.2)
    assert measured["stopped_speaking_at"] - begun == pytest.approx(0.8)
    assert measured["transcription_delay"] == pytest.approx(0.25)
    assert measured["end_of_turn_delay"] == pytest.approx(0.5)
    assert measured["on_user_turn_completed_delay"] == pytest.approx(0.4)


def test_a_turn_that_waits_for_no_hook_has_no_delay_by_one() -> None:
    call = hold(user(0.2, 0.8, "zaza"))
    check(call)
    assert call.messages[0].metrics["on_user_turn_completed_delay"] == 0.0


def test_whoever_collects_metrics_is_told_what_the_end_of_a_turn_took() -> None:
    call = hold(user(0.2, 0.8, "zaza"))
    check(call)
    told = [event.metrics for event in call.reported("metrics_collected")]
    [ended] = [each for each in told if isinstance(each, metrics.EOUMetrics)]
    [speech] = call.reported("speech_created")
    assert ended.speech_id == speech.speech_handle.id
    assert ended.end_of_utterance_delay == pytest.approx(0.5)
    assert ended.transcription_delay == pytest.approx(0.25)
    assert ended.on_user_turn_completed_delay == 0.0


def test_an_answer_knows_what_its_delay_was_made_of() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=lambda call: Plain(call.caller, call.voice, [ONE], think=0.3),
        turn_handling=PLAIN_TURN,
    )
    check(call)
    measured = call.messages[1].metrics
    assert measured["llm_node_ttft"] == pytest.approx(0.3)
    assert measured["tts_node_ttfb"] == pytest.approx(call.voice.first)
    [delay] = call.records("delay")
    assert measured["e2e_latency"] == pytest.approx(delay.detail["total"])
    spoken = measured["stopped_speaking_at"] - measured["started_speaking_at"]
    assert spoken == pytest.approx(sum(call.voice.lengths) / 1000)


def test_what_nobody_asked_for_has_no_end_to_end_latency() -> None:
    call = hold(at(0.1, lambda call: call.say(ONE)))
    check(call)
    measured = call.messages[0].metrics
    assert "e2e_latency" not in measured
    assert "llm_metadata" not in measured


class Metered(Plain):
    """Its model says what it used, and how its provider calls the request."""

    async def llm_node(  # type: ignore[override]  # the plain one gives text
        self, *_: object
    ) -> AsyncGenerator[llm.ChatChunk, None]:
        for token in ONE.split():
            await asyncio.sleep(0.1)
            delta = llm.ChoiceDelta(role="assistant", content=token + " ", extra={"proof": token})
            yield llm.ChatChunk(id="request-7", delta=delta)
        used = llm.CompletionUsage(completion_tokens=12, prompt_tokens=1, total_tokens=13)
        yield llm.ChatChunk(id="request-7", usage=used)


def test_an_answer_knows_how_fast_its_model_was_and_by_what_name_its_provider_knows_it() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=lambda call: Metered(call.caller, call.voice),
        turn_handling=PLAIN_TURN,
    )
    check(call)
    measured = call.messages[1].metrics
    assert measured["llm_node_tps"] == pytest.approx(12 / (0.1 * (len(ONE.split()) - 1)))
    assert measured["provider_request_ids"] == ["request-7"]
    assert call.messages[1].extra == {"proof": ONE.split()[-1]}  # it is given back to the provider


def test_what_a_model_does_not_tell_is_not_made_up() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=lambda call: Plain(call.caller, call.voice, [ONE]))
    check(call)
    assert not {"llm_node_tps", "provider_request_ids"} & set(call.messages[1].metrics)


class Distant(Foreign):
    """An output that plays later than it is given something, and says when it begins."""

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        if not self._open:
            loop = asyncio.get_running_loop()
            loop.call_later(0.3, lambda: self.on_playback_started(created_at=loop.time()))
        await super().capture_frame(frame)


def test_an_answer_knows_how_late_its_output_began_to_play_where_the_output_tells() -> None:
    def attach(call: Call) -> None:
        call.session.output.audio = Distant()

    call = hold(at(0.0, attach), user(0.2, 0.8, "zaza"), agent=modelled)
    assert call.messages[1].metrics["playback_latency"] == pytest.approx(0.3)
    silent = hold(user(0.2, 0.8, "zaza"), agent=modelled)
    assert "playback_latency" not in silent.messages[1].metrics


def test_messages_name_the_models_they_were_made_with() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=modelled)
    check(call)
    asked, answered = call.messages[0].metrics, call.messages[1].metrics
    assert asked["stt_metadata"] == {"model_name": "unknown", "model_provider": "unknown"}
    assert set(answered) >= {"llm_metadata", "tts_metadata"}


def test_usage_is_summed_up_for_each_model_and_stays_after_the_close() -> None:
    call = Call()
    updates: list[Any] = []

    def listen(call: Call) -> None:
        call.session.on("session_usage_updated", updates.append)

    hold(at(0.05, listen), user(0.2, 0.8, "zaza"), agent=modelled, call=call)
    check(call)
    used = {type(part).__name__: part for part in call.session.usage.model_usage}
    spoken = used["TTSModelUsage"]
    assert spoken.characters_count == len("".join(call.voice.texts))  # type: ignore[union-attr]
    assert updates
    assert updates[-1].usage == call.session.usage


class Counting(ScriptedLLM):
    """A model that says what it used."""

    def report(self, tokens: int) -> None:
        self.emit(
            "metrics_collected",
            metrics.LLMMetrics(
                label="counting",
                request_id="1",
                timestamp=0.0,
                duration=0.0,
                ttft=0.0,
                cancelled=False,
                completion_tokens=tokens,
                prompt_tokens=0,
                prompt_cached_tokens=0,
                total_tokens=tokens,
                tokens_per_second=0.0,
            ),
        )

    def chat(self, **options: Any) -> llm.LLMStream:
        self.report(7)
        stream: llm.LLMStream = super().chat(**options)
        return stream


async def test_two_sessions_that_share_a_model_each_count_what_is_theirs() -> None:
    shared = Counting(in_turn([ONE, TWO]))
    sessions: list[AgentSession[None]] = [AgentSession(vad=None, llm=shared) for _ in range(2)]
    for session in sessions:
        await session.start(Agent(instructions=""))
    await sessions[0].generate_reply(user_input="Zu?")
    await sessions[0].generate_reply(user_input="Za?")
    counted = [session.usage.model_usage for session in sessions]
    for session in sessions:
        await session.aclose()
    tokens = [sum(getattr(used, "output_tokens", 0) for used in usage) for usage in counted]
    assert tokens == [14, 0]


async def test_a_model_is_not_listened_to_after_the_close() -> None:
    shared = Counting(in_turn([ONE]))
    session: AgentSession[None] = AgentSession(vad=None, llm=shared)
    await session.start(Agent(instructions=""))
    await session.generate_reply(user_input="Zu?")
    await session.aclose()
    before = session.usage
    shared.report(5)
    assert session.usage == before


def test_every_speech_is_announced_as_livekit_announces_it() -> None:
    call = hold(user(0.2, 0.8, "zaza"), at(8.0, lambda call: call.say(TWO)))
    check(call)
    made = [(e.source, e.user_initiated) for e in call.reported("speech_created")]
    assert made == [("generate_reply", True), ("say", True)]


def test_what_the_application_had_said_was_thought_of_by_no_model() -> None:
    call = hold(user(0.2, 0.8, "zaza"), at(8.0, lambda call: call.say(TWO)))
    check(call)
    answer, said = (m.metrics for m in call.messages if m.role == "assistant")
    assert {"llm_node_ttft", "llm_node_ttfs", "tts_node_ttfb"} <= set(answer)
    assert {"llm_node_ttft", "llm_node_ttfs"} & set(said) == set()
    assert "tts_node_ttfb" in said
