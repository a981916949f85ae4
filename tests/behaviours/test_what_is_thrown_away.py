"""A model of one's own is told whether its answer was let out or thrown away."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import Agent, UsageError, function_tool, when_decided
from antiphon.simulate import (
    OWN,
    calls,
    hesitates,
    interrupts,
    listens,
    pauses,
    says,
    simulate,
)
from antiphon.simulated_models import ScriptedLLM, ScriptedTTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit.agents import llm


class Stateful(Agent):
    """Remembers what it was asked, if the answer was let out."""

    def __init__(self, answer: str = "Number one. And then some more of it.") -> None:
        super().__init__(instructions="Remember.", tts=ScriptedTTS())
        self.answer = answer
        self.asked: list[str] = []
        self.told: list[tuple[str, bool]] = []

    async def llm_node(self, chat_ctx: llm.ChatContext, *_: Any) -> AsyncGenerator[str, None]:
        asked = chat_ctx.messages()[-1].text_content or ""
        self.asked.append(asked)
        when_decided(lambda let_out: self.told.append((asked, let_out)))
        await asyncio.sleep(0.05)
        yield self.answer


def test_an_answer_that_is_heard_was_let_out() -> None:
    agent = Stateful()
    simulate(agent, [says("a soup"), listens()], tts=OWN, llm=OWN)
    assert agent.told == [("a soup", True)]


def test_an_answer_that_was_prepared_too_early_was_thrown_away() -> None:
    agent = Stateful()
    script = [says("a soup", hesitates(0.4), "and a pie"), listens()]
    call = simulate(agent, script, tts=OWN, llm=OWN)
    assert len(agent.asked) > 1
    assert sorted(agent.told) == sorted(
        [*[(asked, False) for asked in agent.asked[:-1]], ("a soup and a pie", True)]
    )
    assert call.said("agent") == [agent.answer]


def test_an_answer_that_is_cut_after_its_first_word_was_let_out() -> None:
    agent = Stateful("one two three four five six seven eight nine ten. " * 5)
    script = [says("a soup"), interrupts("stop now", into=1.0), listens()]
    simulate(agent, script, tts=OWN, llm=OWN)
    assert [let_out for _, let_out in agent.told] == [True, True]


def test_it_is_told_before_the_model_is_asked_again() -> None:
    class Careful(Stateful):
        async def llm_node(
            self, chat_ctx: llm.ChatContext, *rest: Any
        ) -> AsyncGenerator[str, None]:
            assert len(self.told) == len(self.asked), "the last call was not decided"
            async for text in super().llm_node(chat_ctx, *rest):
                yield text

    agent = Careful()
    script = [says("a soup", hesitates(0.4), "and a pie"), interrupts("stop", into=0.5), pauses(3)]
    simulate(agent, script, tts=OWN, llm=OWN)
    assert len(agent.told) >= 3


def test_an_answer_that_only_calls_a_tool_was_let_out_when_it_is_complete() -> None:
    told: list[bool] = []

    class Waiter(Agent):
        def __init__(self) -> None:
            mind = ScriptedLLM([calls("book"), "It is booked."])
            super().__init__(instructions="Book.", llm=mind, tts=ScriptedTTS())

        @function_tool
        async def book(self) -> str:
            """Book a table."""
            return "booked"

        def llm_node(self, *arguments: Any) -> Any:
            when_decided(told.append)
            return Agent.default.llm_node(self, *arguments)

    call = simulate(Waiter(), [says("a table"), listens()], tts=OWN, llm=OWN)
    assert call.said("agent") == ["It is booked."]
    assert told == [True, True]


def test_an_answer_that_failed_before_its_first_word_was_thrown_away() -> None:
    class Failing(Stateful):
        async def llm_node(self, *arguments: Any) -> AsyncGenerator[str, None]:
            async with aclosing(super().llm_node(*arguments)) as answer:
                async for _ in answer:
                    raise ConnectionError("gone")
            yield ""

    agent = Failing()
    simulate(agent, [says("a soup"), pauses(2)], tts=OWN, llm=OWN, allow_errors=True)
    assert agent.told
    assert not any(let_out for _, let_out in agent.told)


def test_an_answer_that_is_only_written_was_let_out() -> None:
    class Writer(Stateful):
        def __init__(self) -> None:
            super().__init__()
            self.update_options(tts=None)

    agent = Writer()
    simulate(agent, [says("a soup"), pauses(2)], tts=OWN, llm=OWN)
    assert agent.told == [("a soup", True)]


async def test_what_is_told_outside_of_a_reply_is_refused() -> None:
    with pytest.raises(UsageError, match="llm_node"):
        when_decided(print)
