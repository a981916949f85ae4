"""Promise 5: the answer is prepared while the end of the turn is still being decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents.stt import SpeechEventType

from antiphon import Agent
from antiphon.llm import ChatContext, ChatMessage, ImageContent
from antiphon.simulate import ScriptedLLM, pauses, says, simulate
from tests.scripted import (
    FINAL,
    Act,
    Call,
    Making,
    Plain,
    at,
    check,
    hold,
    plain,
    sentence,
    user,
)
from tests.scripted_models import modelled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon import TurnHandlingOptions

MIN_DELAY = 0.5
OFF: TurnHandlingOptions = {"preemptive_generation": {"enabled": False}}
MIND_ONLY: TurnHandlingOptions = {"preemptive_generation": {"preemptive_tts": False}}
REPLY = [sentence(0), sentence(10), sentence(20), sentence(30)]


def slow(think: float, first: float) -> tuple[Call, Making]:
    """A model and a voice with these seconds to the first token and to the first sample."""
    call = Call()
    call.voice.first = first
    return call, lambda call: Plain(call.caller, call.voice, REPLY, think=think, token=0.0)


def marks(call: Call, kind: str) -> list[float]:
    return [round(record.t, 6) for record in call.records(kind)]


@pytest.mark.parametrize("think", [0.05, 0.2, 0.6])
@pytest.mark.parametrize("first", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("options", [{}, MIND_ONLY, OFF])
def test_the_delay_is_the_sum_of_what_could_not_be_done_before(
    think: float, first: float, options: TurnHandlingOptions
) -> None:
    call, make = slow(think, first)
    hold(user(0.2, 1.0, "zaza zeze"), agent=make, call=call, turn_handling=options)
    check(call)
    if options is OFF:
        expected = MIN_DELAY + think + first
    elif options is MIND_ONLY:
        expected = max(MIN_DELAY, FINAL + think) + first
    else:
        expected = max(MIN_DELAY, FINAL + think + first)
    assert call.played[0][0] - 1.0 == pytest.approx(expected, abs=1e-9)
    (delay,) = call.records("delay")
    assert delay.detail["total"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("make", [plain, modelled])
def test_a_prepared_answer_is_let_out_when_the_turn_ends_as_expected(make: Making) -> None:
    call = hold(user(0.2, 1.0, "zaza zeze"), agent=make)
    check(call)
    assert marks(call, "model_called") == [1.0 + FINAL]
    assert marks(call, "commit") == [1.0 + MIN_DELAY]
    assert len(call.records("reply_started")) == 1


def test_nothing_of_a_prepared_answer_is_heard_before_the_turn_is_over() -> None:
    call, make = slow(0.01, 0.01)
    hold(user(0.2, 1.0, "zaza zeze"), agent=make, call=call)
    assert call.played[0][0] == 1.0 + MIN_DELAY
    assert call.voice.texts[0] in " ".join(REPLY)


def test_only_the_first_chunk_of_a_prepared_answer_is_given_to_the_voice() -> None:
    call = Call()
    long = " ".join(sentence(n * 10) for n in range(6))
    seen: list[int] = []
    hold(
        user(0.2, 1.0, "zaza zeze", final=0.1),
        at(1.49, lambda call: seen.append(len(call.voice.texts))),
        agent=lambda call: Plain(call.caller, call.voice, [long], think=0.0, token=0.0),
        call=call,
    )
    check(call)
    assert seen == [1]
    assert len(call.voice.texts) > 1


def test_a_prepared_answer_is_thrown_away_when_the_user_goes_on() -> None:
    call = hold(user(0.2, 1.0, "zaza zeze"), user(1.35, 1.9, "zizi"))
    check(call)
    assert len(call.agent.asked) == 2  # type: ignore[attr-defined]
    assert [m.text_content for m in call.messages if m.role == "user"] == ["zaza zeze zizi"]
    assert [m.role for m in call.messages] == ["user", "assistant"]


def test_a_turn_is_prepared_for_at_most_so_often() -> None:
    parts: list[Act] = []
    for n in range(7):
        parts += user(0.2 + 0.7 * n, 0.5 + 0.7 * n, f"z{'aeiou'[n % 5]}z{'aeiou'[n % 4]}")
    call = hold(parts)
    check(call)
    assert len(call.records("draft")) == 3
    assert call.messages[-1].role == "assistant"


def test_a_long_turn_is_not_prepared_for() -> None:
    call = hold(user(0.2, 11.0, "zaza zeze zizi zozo zuzu"))
    check(call)
    assert call.records("draft") == []
    assert call.messages[-1].role == "assistant"


class ThinksOnce(Plain):
    """Its model fails the first time."""

    async def llm_node(self, *args: object) -> object:  # type: ignore[override]
        if not self.asked:
            self.asked.append(args[0])  # type: ignore[arg-type]
            raise LookupError("the first time")
        return super().llm_node(*args)  # type: ignore[arg-type]


class SpeaksOnce(Plain):
    """Its voice fails the first time."""

    async def tts_node(self, *args: object) -> object:  # type: ignore[override]
        if len(self.asked) == 1:
            raise LookupError("the first time")
        return super().tts_node(*args)  # type: ignore[arg-type]


@pytest.mark.parametrize("failing", [ThinksOnce, SpeaksOnce])
def test_a_prepared_answer_that_failed_is_made_again(failing: type[Plain]) -> None:
    call = hold(user(0.2, 1.0, "zaza"), agent=lambda call: failing(call.caller, call.voice))
    check(call)
    assert call.messages[-1].role == "assistant"


def test_a_turn_that_ends_by_hand_lets_the_prepared_answer_out_at_once() -> None:
    call = hold(
        user(0.2, 1.0, "zaza zeze"),
        at(1.4, lambda call: call.session.commit_user_turn()),
        agent=lambda call: Plain(call.caller, call.voice, REPLY, think=0.0, token=0.0),
    )
    check(call)
    assert call.played[0][0] == 1.4


def test_the_next_chunk_is_asked_for_before_the_one_before_has_been_played() -> None:
    long = " ".join(sentence(n * 10) for n in range(8))
    for make in (plain, modelled):
        call = Call()
        hold(at(0.1, lambda call: call.say(long)), agent=make, call=call)
        check(call)
        ends = [began + len(pcm) / 1000 for began, pcm in call.played]
        begins = [began for began, _ in call.played[1:]]
        assert all(begin - end < 1e-9 for end, begin in zip(ends, begins, strict=False))


class Punctuated(Agent):
    """Its recogniser writes marks and capitals only when it is sure."""

    async def stt_node(self, audio: Any, settings: Any) -> AsyncGenerator[Any, None]:
        async for event in Agent.default.stt_node(self, audio, settings):
            if event.type is SpeechEventType.FINAL_TRANSCRIPT:
                event.alternatives[0].text = event.alternatives[0].text.capitalize() + "."
            yield event


@pytest.mark.parametrize("hooked", [False, True])
def test_the_marks_of_a_final_transcript_do_not_throw_the_prepared_answer_away(
    hooked: bool,
) -> None:
    async def nothing(*_: Any) -> None: ...

    members = {"on_user_turn_completed": nothing} if hooked else {}
    kind: type[Agent] = type("Host", (Punctuated,), members)
    model = ScriptedLLM(["Good day."])
    call = simulate(kind(instructions=""), [says("hello there"), pauses(3)], llm=model)
    assert len(model.asked) == 1
    assert call.said("user") == ["Hello there."]
    assert call.said("agent") == ["Good day."]


def test_a_picture_that_a_hook_adds_is_seen_though_an_answer_was_prepared() -> None:
    class Watcher(Agent):
        async def on_user_turn_completed(self, _: Any, new_message: ChatMessage) -> None:
            new_message.content.append(ImageContent(image="data:image/png;base64,AA=="))

    def look(context: ChatContext) -> str:
        question = context.messages()[-1]
        return "A hat." if isinstance(question.content[-1], ImageContent) else "Nothing."

    call = simulate(Watcher(instructions="x"), [says("What is this?")], llm=ScriptedLLM(look))
    assert call.said("agent") == ["A hat."]
