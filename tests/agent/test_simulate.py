"""Simulated calls: what the caller can do, to the millisecond, and what the test is told."""

from __future__ import annotations

import asyncio
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import UsageError, simulate
from antiphon.pipeline.clock import run
from antiphon.simulate import (
    Caller,
    Ears,
    Line,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    State,
    calling,
    coughs,
    does,
    hesitates,
    hums,
    interrupts,
    leaves,
    listens,
    pauses,
    says,
)
from tests.hosts import SORRY, WINDOW, Host, held

if TYPE_CHECKING:
    from antiphon.simulate import Call

# What the caller does.


def test_the_example_of_the_documentation_runs() -> None:
    text = str(simulate.__doc__).split("virtual time.\n")[1].split("A script is")[0]
    found: dict[str, Any] = {"Host": Host}
    exec(textwrap.dedent(text), found)
    found["test_the_agent_asks_again_when_the_caller_coughs"]()


def test_a_turn_is_told_to_the_microsecond() -> None:
    call = held(says("A table for two"), llm=["For when?"])
    # 4 words at 2.5 a second; endpointing 0.5; 8 letters and marks of the voice at 0.08 s
    model = 0.5 + 1.6 + 0.25 + 0.2 + 0.02  # its second word, which ends the sentence
    voice = round(max(model + 0.1, 2.1 + 0.5), 6)
    assert call.lines == [
        Line("user", "A table for two", 0.5, 2.1),
        Line("agent", "For when?", call.lines[1].start, round(call.lines[1].start + 0.64, 6)),
    ]
    assert call.lines[1].start >= voice
    assert call.states == [
        State("agent", "listening", 0.0),
        State("user", "speaking", 0.5),
        State("user", "listening", 2.1),
        State("agent", "thinking", 2.6),
        State("agent", "speaking", call.lines[1].start),
        State("agent", "listening", call.lines[1].end),
    ]
    assert call.heard == ["For", "when?"]
    assert call.ended == pytest.approx(call.lines[1].end + 0.5, abs=1e-9)


def test_the_same_script_is_the_same_call() -> None:
    script = [says("A table for two"), interrupts("For three", word="two"), coughs()]
    replies = ["One table for two at eight, is that right?", "For three then."]
    first, again = held(*script, llm=replies), held(*script, llm=replies)
    assert [r.json() for r in first.timeline.records] == [r.json() for r in again.timeline.records]
    assert str(first) == str(again)


def test_times_of_models_add_up() -> None:
    call = held(
        says("A table", gap=None),
        stt=ScriptedSTT(final=0.6),
        llm=ScriptedLLM(["Certainly."], first_token=0.5),
        tts=ScriptedTTS(first_byte=0.3),
    )
    assert call.lines[1].start == pytest.approx(0.8 + 0.6 + 0.5 + 0.3, abs=0.05)
    (delay,) = call.records("delay")
    parts = delay.detail["parts"]
    assert isinstance(parts, dict)
    assert (parts["recognition"], parts["model"], parts["voice"]) == (0.6, 0.5, 0.3)


def test_a_hesitation_is_part_of_the_turn() -> None:
    call = held(says("I would like", hesitates(0.4), "a table for two"), llm=["For when?"])
    assert call.said("user") == ["I would like a table for two"]
    assert (call.lines[0].start, call.lines[0].end) == (0.5, round(0.5 + 7 / 2.5 + 0.4, 6))


def test_a_hesitation_too_short_to_be_noticed_leaves_one_transcript() -> None:
    call = held(says("I would like", hesitates(0.08), "a table"), llm=["For when?"])
    finals = [e for e in call.reported("user_input_transcribed") if e.is_final]
    assert [event.transcript for event in finals] == ["I would like a table"]
    assert len(call.records("voice_started")) == 1


def test_a_hesitation_longer_than_the_agents_patience_is_two_turns() -> None:
    call = held(says("I would like", hesitates(2.0), "a table"), llm=["Yes?", "For when?"])
    assert call.said("user") == ["I would like", "a table"]


def test_an_answer_prepared_and_thrown_away_is_given_again() -> None:
    call = held(says("A table", hesitates(0.35), "for two"), llm=["For when?"])
    assert len(call.records("draft")) == 2
    assert call.said("agent") == ["For when?"]


def test_an_interruption_begins_when_its_word_has_been_heard() -> None:
    call = held(
        says("A table"), interrupts("The window", word="By the window"), llm=[WINDOW, "Done."]
    )
    agent, user = call.lines[1:3]
    spoken = sum(len(word) for word in ("By", "the", "window,")) * 0.08
    assert user.start == pytest.approx(agent.start + spoken, abs=1e-6)
    assert agent.interrupted
    assert agent.end == pytest.approx(user.start + 0.2, abs=1e-6)  # interruption.min_duration
    assert agent.text.startswith("By the window,")
    assert call.said("user") == ["A table", "The window"]


def test_an_interruption_may_begin_after_seconds_of_the_speech() -> None:
    call = held(says("A table"), interrupts("The window", into=1.0), llm=[WINDOW, "Done."])
    assert call.lines[2].start == pytest.approx(call.lines[1].start + 1.0, abs=1e-6)


def test_the_last_word_of_a_speech_is_a_moment_too() -> None:
    call = held(says("A table"), interrupts("The window", word="kitchen"), llm=[WINDOW, "Done."])
    assert call.lines[2].start == call.lines[1].end
    assert not call.lines[1].interrupted


def test_a_hum_and_a_cough_over_the_agent_do_not_end_its_speech() -> None:
    call = held(says("A table"), hums(into=0.5), coughs(0.3, word="near"), llm=[WINDOW])
    assert call.said("agent") == [WINDOW]
    assert call.said("user") == ["A table", "mm-hmm"]
    assert not any(line.interrupted for line in call.lines)


def test_a_polite_caller_waits_for_the_agent_and_an_impolite_one_does_not() -> None:
    polite = held(says("A table"), says("For two"), llm=[WINDOW, "Done."])
    assert polite.lines[2].start == pytest.approx(polite.lines[1].end + 0.5, abs=1e-6)
    hasty = held(says("A table"), pauses(0.1), says("For two", gap=None), llm=["Done."])
    assert hasty.said("user") == ["A table For two"]


def test_a_caller_may_leave_in_the_middle() -> None:
    call = held(says("A table"), leaves(word="window"), llm=[WINDOW])
    assert call.lines[-1].interrupted
    assert call.said("agent") == ["By the window,"]
    timed = held(says("A table", at=1.0), leaves(at=1.5), llm=[])
    assert timed.ended == pytest.approx(1.5 + 2.0, abs=1e-9)  # waits for the recogniser
    assert timed.said("user") == ["A"]


def test_a_long_silence_makes_the_user_absent() -> None:
    call = held(pauses(16.0))
    assert call.states[-1] == State("user", "away", 15.0)


def test_what_is_misheard_is_what_the_agent_answers() -> None:
    call = held(says("A table for two", heard="A cable for you"), llm=["A cable?"])
    assert call.said("user") == ["A cable for you"]
    nothing = held(says("Mumble mumble", heard=""))
    assert nothing.said("agent") == [SORRY]


def test_acts_at_seconds_go_on_beside_the_script() -> None:
    seen: list[float] = []

    def look(_: Call) -> None:
        seen.append(asyncio.get_running_loop().time())

    call = held(does(look, at=1.0), coughs(0.3, at=6.0), says("A table"), llm=["For two?"])
    assert seen == [1.0]
    assert call.lines[0].start == 0.5
    assert [record.detail["at"] for record in call.records("voice_started")] == [0.5, 6.0]


def test_the_application_may_act_at_a_word() -> None:
    call = held(
        says("A table"), does(lambda call: call.session.interrupt(), word="the"), llm=[WINDOW]
    )
    assert call.said("agent") == ["By the"]


# In a test that is a coroutine.


async def test_a_call_can_be_played_act_by_act() -> None:
    await asyncio.sleep(7.0)  # times are the call's, not the loop's
    async with calling(Host(), llm=[WINDOW, "Very well."]) as call:
        await call.play(says("A table"), listens(word="kitchen"))
        assert call.session.agent_state == "speaking"
        await call.play(listens())
        assert call.said("agent") == [WINDOW]
        await call.play(says("The window"), listens())
    assert call.said("agent") == [WINDOW, "Very well."]
    assert call.lines[0].start == 0.5
    assert call.reported("close")


async def test_simulate_in_a_coroutine_says_what_to_write() -> None:
    with pytest.raises(UsageError, match="async with calling"):
        held(says("A table"))


async def test_scripted_ears_outside_of_a_simulation_say_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"antiphon\.simulate"):
        ScriptedSTT().stream()


def test_ears_say_how_quickly_a_single_utterance_is_understood() -> None:
    call = held(says("A table", ears=Ears(final=1.5)), llm=["For when?"])
    (delay,) = call.records("delay")
    parts = delay.detail["parts"]
    assert isinstance(parts, dict)
    assert parts["recognition"] == 1.5


async def test_an_utterance_is_heard_to_its_end_by_the_recogniser_that_has_begun_it() -> None:
    caller, heard = Caller(), [list[str](), list[str]()]

    async def listen(number: int) -> None:
        while True:
            heard[number].append((await caller.speech.get()).alternatives[0].text)

    tasks = [asyncio.create_task(listen(0))]
    await asyncio.sleep(0.1)
    caller.says("one", final=False)
    await asyncio.sleep(0.1)
    tasks.append(asyncio.create_task(listen(1)))  # the one before is replaced
    await asyncio.sleep(0.1)
    caller.says("one two", final=True)
    caller.says("three", final=False)
    await asyncio.sleep(0.1)
    tasks.pop().cancel()
    await asyncio.sleep(0.1)
    caller.says("three four", final=True)
    await asyncio.sleep(0.1)
    tasks.pop().cancel()
    assert heard == [["one", "one two", "three four"], ["three"]]


@pytest.mark.realtime
async def test_on_an_ordinary_loop_sound_and_record_count_from_the_same_moment() -> None:
    """Else a busy machine shows words as heard after the reply they are of."""
    async with calling(Host()) as call:
        assert call.start == call.timeline.start


@pytest.mark.realtime
async def test_a_call_runs_on_an_ordinary_loop() -> None:
    async with calling(Host(), llm=["Six?"]) as call:
        await call.play(says("Hello", gap=0.0), listens(gap=0.1))
    assert [line.text for line in call.lines] == ["Hello", "Six?"]


def test_a_call_runs_on_any_virtual_loop() -> None:
    async def talk() -> list[str]:
        async with calling(Host(), llm=["For when?"]) as call:
            await call.play(says("A table"), listens())
        return call.said("agent")

    assert run(talk(), start=1000.0, strict=True) == ["For when?"]
