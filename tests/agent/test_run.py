"""`session.run` on the virtual clock: when a run is over, what it tells, and what it raises."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import (
    Agent,
    AgentSession,
    AgentTask,
    ArgumentError,
    RunContext,
    RunResult,
    SessionClosed,
    UsageError,
    function_tool,
)
from antiphon.evals import JudgeGroup, task_completion_judge
from antiphon.simulate import Calls, ScriptedLLM, calling, calls

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST = 0.2  # seconds to the model's first token
TOKEN = 0.02  # seconds between its words


def session(*replies: str | Calls) -> AgentSession[Any]:
    return AgentSession(llm=ScriptedLLM(replies), vad=None)


def agent(*tools: Any) -> Agent:
    return Agent(instructions="Serve.", tools=list(tools))


def now() -> float:
    return asyncio.get_running_loop().time()


async def elapsed(run: RunResult[Any]) -> float:
    """Seconds until it is over."""
    began = now()
    await run
    return round(now() - began, 6)


@function_tool
async def price(dish: str) -> str:
    """The price of a dish."""
    await asyncio.sleep(1.0)
    return f"{dish} is 12"


# When it is over.


async def test_a_run_lasts_as_long_as_its_models_and_tools() -> None:
    async with session(calls("price", dish="soup"), "It is 12.") as held:
        await held.start(agent(price))
        assert await elapsed(held.run(user_input="How much?")) == FIRST + 1.0 + FIRST + 3 * TOKEN


async def test_a_run_with_a_voice_is_over_when_the_last_word_has_been_heard() -> None:
    async with calling(agent(), llm=["It is twelve."]) as call:
        result = call.session.run(user_input="How much?")
        began = now()
        await result
        assert call.lines[-1].end == round(now() - call.start, 3)
        assert now() > began + FIRST
        assert call.said("agent") == ["It is twelve."]
        result.expect.next_event().is_message(role="assistant")


async def test_what_was_asked_for_before_a_run_is_not_told_by_it() -> None:
    async with session("Hello.", "Hello again.") as held:
        await held.start(agent())
        handle = held.generate_reply(user_input="One")
        result = await held.run(user_input="Two")
        assert handle.done()
        assert [event.item.text_content for event in result.events] == ["Hello again."]  # type: ignore[union-attr]


async def test_a_greeting_that_takes_its_time_does_not_hold_up_a_run() -> None:
    class Slow(Agent):
        async def on_enter(self) -> None:
            await asyncio.sleep(3600)

    async with session("Yes.") as held:
        await held.start(Slow(instructions="Serve."))
        assert await elapsed(held.run(user_input="You there?")) == FIRST + TOKEN


async def test_what_a_callback_asks_to_be_said_belongs_to_the_run() -> None:
    async with session("Yes.") as held:
        await held.start(agent())

        def goes_on(_: object) -> None:
            held.say("And now?")

        result = held.run(user_input="You there?")
        assert held.current_speech is not None
        held.current_speech.add_done_callback(goes_on)
        await result
        assert [event.item.text_content for event in result.events] == ["Yes.", "And now?"]  # type: ignore[union-attr]


async def test_a_result_may_be_awaited_twice() -> None:
    async with session("Yes.") as held:
        await held.start(agent())
        result = held.run(user_input="You there?")
        assert not result.done()
        assert await result is await result
        assert result.done()


async def test_a_second_run_must_wait_for_the_first() -> None:
    async with session("Yes.", "No.") as held:
        await held.start(agent())
        first = held.run(user_input="You there?")
        with pytest.raises(RuntimeError, match="await it before the next one"):
            held.run(user_input="You there?")
        await first
        await held.run(user_input="You there?")


async def test_a_run_inside_a_tool_of_a_run_is_refused() -> None:
    @function_tool
    async def talk(context: RunContext[Any]) -> str:
        """Talk."""
        with pytest.raises(RuntimeError, match="await it before the next one"):
            context.session.run(user_input="Me again")
        return "refused"

    async with session(calls("talk"), "Well.") as held:
        await held.start(agent(talk))
        (await held.run(user_input="Go")).expect.contains_function_call_output(output="refused")


async def test_a_run_that_cannot_begin_leaves_the_way_free_for_the_next() -> None:
    async with session("Yes.") as held:
        await held.start(agent())
        with pytest.raises(ArgumentError, match="user_input"):
            held.run(user_input=12)  # type: ignore[arg-type]
        await held.run(user_input="You there?")


# How it may end.


async def test_a_closing_session_ends_a_run_with_an_error() -> None:
    held = session(calls("price", dish="soup"), "It is 12.")
    await held.start(agent(price))
    result = held.run(user_input="How much?")
    await asyncio.sleep(0.5)
    await held.aclose()
    with pytest.raises(SessionClosed, match="before the run was over"):
        await result
    assert not result.expect.contains_function_call(name="price").event().item.extra


async def test_a_run_whose_tool_ends_the_call_is_over_when_the_goodbye_has_been_said() -> None:
    @function_tool
    async def hang_up(context: RunContext[Any]) -> str:
        """End the call."""
        context.session.shutdown()
        return "ended"

    held = session(calls("hang_up"), "Goodbye.")
    await held.start(agent(hang_up))
    result = await held.run(user_input="That is all")
    assert [event.type for event in result.events][-1] == "message"
    await held.aclose()


async def test_the_models_error_is_raised() -> None:
    class Broken(Agent):
        async def llm_node(self, *_: Any) -> str:
            raise ZeroDivisionError("no model")

    async with session() as held:
        await held.start(Broken(instructions="Serve."))
        result = held.run(user_input="You there?")
        with pytest.raises(ZeroDivisionError, match="no model"):
            await result
        result.expect.no_more_events()


async def test_a_run_that_nobody_awaits_disturbs_nobody() -> None:
    class Broken(Agent):
        async def llm_node(self, *_: Any) -> str:
            raise ZeroDivisionError("no model")

    async with session() as held:
        await held.start(Broken(instructions="Serve."))
        held.run(user_input="You there?")
        await asyncio.sleep(1.0)


async def test_an_interrupted_answer_is_told_as_far_as_it_was_heard() -> None:
    async with calling(agent(), llm=["One two three four five six seven."]) as call:
        result = call.session.run(user_input="Count")
        await asyncio.sleep(2.0)
        call.session.interrupt()
        await result
        item = result.expect.next_event().is_message(role="assistant").event().item
        assert item.interrupted
        assert item.text_content == " ".join(call.heard)
        assert 0 < len(call.heard) < 7


# Its order.


async def test_at_one_instant_a_steps_words_stand_before_its_calls() -> None:
    @function_tool
    async def at_once() -> str:
        """Answer at once."""
        return "here"

    replies: Sequence[Calls | str] = [
        Calls("One.").and_calls("at_once"),
        Calls("Two.").and_calls("at_once").and_calls("at_once"),
        "Three.",
    ]
    model = ScriptedLLM(replies, first_token=0.0, tokens_per_second=float("inf"))
    async with AgentSession(llm=model, vad=None) as held:
        await held.start(agent(at_once))
        expect = (await held.run(user_input="Go")).expect
    for words, number in (("One.", 1), ("Two.", 2)):
        assert expect.next_event().is_message().event().item.text_content == words
        for _ in range(number):
            expect.next_event().is_function_call(name="at_once")
        for _ in range(number):
            expect.next_event().is_function_call_output(output="here")
    assert expect.next_event(type="message").event().item.text_content == "Three."
    expect.no_more_events()


# Outputs.


class Count(AgentTask[int]):
    """Counts guests."""

    def __init__(self) -> None:
        super().__init__(instructions="Ask how many.")

    @function_tool
    async def guests(self, number: int) -> None:
        """Take the number."""
        self.complete(number)


async def test_zero_is_an_output_too() -> None:
    async with session(calls("guests", number=0)) as held:
        await held.start(Count())
        result = await held.run(user_input="Nobody", output_type=int)
        assert result.final_output == 0


async def test_an_output_is_not_there_before_its_time() -> None:
    async with session("How many?") as held:
        await held.start(Count())
        result = held.run(user_input="Hello")
        with pytest.raises(UsageError, match="await it"):
            _ = result.final_output
        await result
        with pytest.raises(UsageError, match="no AgentTask was completed"):
            _ = result.final_output


async def test_what_the_model_is_asked_again_with_is_the_callers() -> None:
    model = ScriptedLLM(["How many?", calls("guests", number=4)])
    async with AgentSession(llm=model, vad=None) as held:
        await held.start(Count())
        options = {"max_retries": 1, "retry_instructions": "Call guests."}
        result = await held.run(user_input="Four", output_type=int, output_options=options)  # type: ignore[arg-type]
        assert result.final_output == 4
    assert "Call guests." in (model.asked[1].items[-1].text_content or "")  # type: ignore[union-attr]


async def test_an_output_type_that_is_no_class_is_refused() -> None:
    async with session() as held:
        await held.start(Count())
        with pytest.raises(ArgumentError, match="write a class"):
            held.run(user_input="Four", output_type=list[int])
        with pytest.raises(ArgumentError, match="did you mean 'max_retries'"):
            held.run(user_input="Four", output_options={"max_retry": 1})  # type: ignore[arg-type]


# Telling.


async def test_a_failed_assertion_shows_the_events() -> None:
    async with session("Yes.") as held:
        await held.start(agent())
        result = await held.run(user_input="You there?")
    with pytest.raises(AssertionError, match=r"(?s)Expected FunctionCallEvent.*>>> \[0\]"):
        result.expect.next_event().is_function_call()
    with pytest.raises(AssertionError, match="out of range"):
        _ = result.expect[7]
    assert result.expect.skip_next_event_if(type="message", role="user") is None
    result.expect[-1].is_message(role="assistant")
    result.expect[0:1].contains_message(role="assistant")


async def test_livekits_variable_shows_every_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with session("Yes.", "Still yes.") as held:
        await held.start(agent())
        _ = (await held.run(user_input="You there?")).expect
        assert capsys.readouterr().out == ""
        monkeypatch.setenv("LIVEKIT_EVALS_VERBOSE", "1")
        _ = (await held.run(user_input="And now?")).expect
    out = capsys.readouterr().out
    assert "run of 'And now?'" in out
    assert "[0] message {'role': 'assistant', 'content': ['Still yes.']" in out


async def test_a_model_judges_a_message() -> None:
    judge = ScriptedLLM(
        [
            calls("check_intent", success=True, reason="it greets"),
            calls("check_intent", success=False, reason="it asks nothing"),
        ]
    )
    async with session("Good evening.") as held:
        await held.start(agent())
        result = await held.run(user_input="Hello")
    message = result.expect.next_event().is_message(role="assistant")
    await message.judge(judge, intent="greets the guest")
    with pytest.raises(AssertionError, match="it asks nothing"):
        await message.judge(judge, intent="asks for the number of guests")


async def test_livekits_judges_read_the_history() -> None:
    verdict = calls("submit_verdict", verdict="pass", reasoning="booked")
    async with session("Good evening.") as held:
        await held.start(agent())
        await held.run(user_input="Hello")
        group = JudgeGroup(llm=ScriptedLLM([verdict]), judges=[task_completion_judge()])
        assert (await group.evaluate(held.history)).all_passed
