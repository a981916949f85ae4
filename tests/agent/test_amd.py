"""Who answers a call: a human is greeted at once, a machine is not talked over."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import AMD, Agent, AgentSession, ArgumentError, UsageError
from antiphon.simulate import OWN, ScriptedLLM, calling, calls, coughs, says
from tests.scripted_realtime import ScriptedRealtime

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon.simulate import Call
    from antiphon.simulated_models import Answer

GREETING = "Hello, it is about your table."
MACHINE = "You have reached Grace, please leave a message after the tone, and have a nice day"
MENU = calls("save_prediction", label="machine-ivr")
VOICEMAIL = calls("save_prediction", label="machine-vm")
HUMAN = calls("save_prediction", label="human")


def clerk() -> Agent:
    return Agent(instructions="You call about a booking.")


@asynccontextmanager
async def answered(*judgements: Answer, **options: Any) -> AsyncGenerator[tuple[Call, AMD]]:
    """Somebody takes the call, a model judges who it is, and a greeting waits for that."""
    judge = ScriptedLLM(judgements)
    async with calling(clerk(), llm=["Fine.", "Fine."]) as call:
        async with AMD(call.session, llm=judge, **options) as amd:
            call.session.say(GREETING)
            yield call, amd
        await call.finish()


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_short_greeting_is_a_humans_and_is_answered_half_a_second_later() -> None:
    async with answered() as (call, amd):
        await call.play(coughs(0.8, at=1.0))
        result = await amd.execute()
        assert (result.category, result.reason) == ("human", "short_greeting")
        assert result.speech_duration == pytest.approx(0.8)
        assert now() - call.start == pytest.approx(1.0 + 0.8 + 0.5)
        assert call.said("agent") == []
    assert call.said("agent") == [GREETING]
    assert call.lines[0].start > 2.3


async def test_words_are_judged_and_a_human_hears_the_greeting_and_then_the_answer() -> None:
    async with answered(HUMAN) as (call, amd):
        await call.play(says("Hello, this is Grace", at=1.0))
        result = await amd.execute()
        assert (result.category, result.reason) == ("human", "llm")
        assert result.transcript == "Hello, this is Grace"
    assert call.said("agent") == [GREETING, "Fine."]


@pytest.mark.parametrize("judged", [VOICEMAIL, MENU])
async def test_a_machine_is_not_talked_over_nor_answered(judged: Answer) -> None:
    async with answered(judged, ivr_detection=False) as (call, amd):
        await call.play(
            says(MACHINE, at=1.0), says("To hear this again, stay on the line", at=12.0)
        )
        result = await amd.execute()
        assert result.is_machine
        assert result.delay >= 1.5
        call.session.say("This is about your table. Please call back.")
        await asyncio.sleep(20)
    assert call.said("agent") == ["This is about your table. Please call back."]
    assert len(call.said("user")) == 2


async def test_with_interrupt_on_machine_off_what_waited_is_said_to_it() -> None:
    async with answered(VOICEMAIL, interrupt_on_machine=False) as (call, amd):
        await call.play(says(MACHINE, at=1.0))
        assert (await amd.execute()).category == "machine-vm"
    assert call.said("agent") == [GREETING, "Fine."]


async def test_where_nothing_is_heard_nobody_knows_after_ten_seconds() -> None:
    async with answered() as (call, amd):
        assert amd.pending
        result = await amd.execute()
        assert (result.category, result.reason) == ("uncertain", "no_speech_timeout")
        assert now() - call.start == pytest.approx(10.0)
        assert not amd.pending
    assert call.said("agent") == [GREETING]


async def test_a_model_may_ask_to_hear_more() -> None:
    more = calls("postpone_termination", seconds=6)
    async with answered(more, VOICEMAIL) as (call, amd):
        await call.play(says("Welcome to Grace and company", at=1.0))
        await call.play(says("please leave a message", at=6.0))
        result = await amd.execute()
        assert result.category == "machine-vm"
        assert result.transcript == "Welcome to Grace and company please leave a message"


@pytest.mark.parametrize("said", [calls("save_prediction"), calls("save_prediction", label="dog")])
async def test_a_model_that_says_nothing_of_use_leaves_it_uncertain(said: Answer) -> None:
    async with answered(said) as (call, amd):
        await call.play(says(MACHINE, at=1.0))
        result = await amd.execute()
        assert (result.category, result.reason) == ("uncertain", "detection_timeout")
        assert now() - call.start == pytest.approx(20.0)


async def test_limits_may_be_given() -> None:
    limits = {"no_speech_threshold": 2.0, "timeout": 3.0}
    async with answered(detection_options=limits) as (call, amd):
        await amd.execute()
        assert now() - call.start == pytest.approx(2.0)
        with pytest.raises(UsageError, match="another AMD"):
            await AMD(call.session, llm=ScriptedLLM()).__aenter__()


async def test_a_call_that_ends_before_there_is_a_verdict_says_so() -> None:
    async with calling(clerk(), llm=[]) as call, AMD(call.session, llm=ScriptedLLM()) as amd:
        call.session.shutdown(drain=False)
        with pytest.raises(RuntimeError, match="closed before a result"):
            await amd.execute()


async def test_nothing_is_decided_about_a_call_that_is_over() -> None:
    judge, told = ScriptedLLM([VOICEMAIL], first_token=5.0), list[object]()
    async with calling(clerk(), llm=[]) as call, AMD(call.session, llm=judge) as amd:
        amd.on("amd_prediction", told.append)
        await call.play(says(MACHINE, at=1.0))
        while not judge.asked:  # noqa: ASYNC110  # in virtual time
            await asyncio.sleep(0.1)
        call.session.shutdown(drain=False)
        with pytest.raises(RuntimeError, match="closed before a result"):
            await amd.execute()
        await asyncio.sleep(30)
    assert told == []


async def test_the_verdict_is_told_once_to_whoever_listens() -> None:
    async with answered() as (call, amd):
        told: list[object] = []
        amd.on("amd_prediction", told.append)
        await call.play(coughs(0.8, at=1.0))
        assert await amd.execute() is told[0]
        assert len(told) == 1


async def test_bad_arguments_fail_when_they_are_given() -> None:
    options: Any = {"patience": 3}
    with pytest.raises(ArgumentError, match="patience"):
        AMD(AgentSession(), detection_options=options)


async def test_who_speaks_already_when_listening_begins_is_heard_too() -> None:
    async with calling(clerk(), llm=[]) as call:
        await call.play(coughs(2.0, at=1.0))
        await asyncio.sleep(2.0)
        async with AMD(call.session, llm=ScriptedLLM()) as amd:
            assert (await amd.execute()).reason == "short_greeting"
            assert now() - call.start == pytest.approx(1.0 + 2.0 + 0.5)


async def test_a_machine_is_not_answered_by_a_model_that_answers_by_itself() -> None:
    model = ScriptedRealtime([GREETING, *(f"Fine {n}." for n in range(9))])
    agent = Agent(instructions="You call about a booking.", llm=model)
    judge = ScriptedLLM([VOICEMAIL])
    async with calling(agent, stt=OWN, llm=OWN, tts=OWN) as call:
        async with AMD(call.session, llm=judge) as amd:
            call.session.generate_reply()
            await call.play(
                says(MACHINE, at=1.0), says("To hear this again, stay on the line", at=12.0)
            )
            result = await amd.execute()
            assert result.is_machine
            await asyncio.sleep(20)
            assert call.said("agent") == []
        await call.finish()
    assert len(call.said("user")) == 2
