"""`mock_tools`: what runs in the place of a tool, for whom, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock

import pytest

from antiphon import (
    Agent,
    AgentSession,
    ArgumentError,
    RunContext,
    ToolError,
    function_tool,
    mock_tools,
)
from antiphon.simulate import Calls, ScriptedLLM, calls

if TYPE_CHECKING:
    from collections.abc import Callable

ASKED = calls("price", dish="soup", guests=2)


FOUR_TIMES: list[str | Calls] = [ASKED, "Well."] * 4


class Waiter(Agent):
    """Knows no prices of its own."""

    def __init__(self) -> None:
        super().__init__(instructions="Serve.")

    @function_tool
    async def price(self, context: RunContext[Any], dish: str, guests: int = 1) -> str:
        """The price of a dish."""
        return "the real thing"

    @function_tool
    async def manager(self) -> Agent:
        """Fetch the manager."""
        return Manager()


class Manager(Waiter):
    """Calls a tool as soon as it enters."""

    async def on_enter(self) -> None:
        await self.session.generate_reply(instructions="Tell the price.")


def session(*replies: str | Calls) -> AgentSession[Any]:
    return AgentSession(llm=ScriptedLLM(replies), vad=None)


async def output(held: AgentSession[Any]) -> str:
    """What came of the call of one run."""
    result = await held.run(user_input="How much?")
    return [e.item.output for e in result.events if e.type == "function_call_output"][-1]


def by_keyword(*, guests: int) -> str:
    return f"for {guests}"


def other_names(ctx: RunContext[Any], what: str) -> str:
    return f"{what} of {type(ctx.session.current_agent).__name__}"


async def later(dish: str) -> str:
    return f"{dish}, later"


def of_two(guests: int, dish: str) -> str:
    return f"{guests} times {dish}"


@pytest.mark.parametrize(
    ("mock", "gives"),
    [
        (lambda: "nothing asked", "nothing asked"),
        (lambda dish: f"only {dish}", "only soup"),
        (of_two, "2 times soup"),
        (by_keyword, "for 2"),
        (other_names, "soup of Waiter"),
        (later, "soup, later"),
        (lambda dish, *, season="winter": f"{dish} in {season}", "soup in winter"),
        (AsyncMock(return_value="a mock of the library"), "a mock of the library"),
    ],
)
async def test_a_mock_takes_as_many_arguments_as_it_likes(
    mock: Callable[..., Any], gives: str
) -> None:
    async with session(ASKED, "Well.") as held:
        await held.start(Waiter())
        with mock_tools(Waiter, {"price": mock}):
            assert await output(held) == gives


async def test_what_a_mock_raises_is_what_the_tool_raised() -> None:
    def sold_out() -> str:
        raise ToolError("sold out")

    def breaks() -> str:
        raise ZeroDivisionError

    async with session(ASKED, "Well.", ASKED, "Well.") as held:
        await held.start(Waiter())
        with mock_tools(Waiter, {"price": sold_out}):
            assert await output(held) == "sold out"
        with mock_tools(Waiter, {"price": breaks}):
            assert await output(held) == "An internal error occurred"


async def test_mocks_end_with_their_block_and_only_those_named_are_taken() -> None:
    async with session(ASKED, "Well.", ASKED, "Well.") as held:
        await held.start(Waiter())
        with mock_tools(Waiter, {"manager": lambda: "nobody"}):
            assert await output(held) == "the real thing"
        with mock_tools(Waiter, {"price": lambda: 12}):
            pass
        assert await output(held) == "the real thing"


async def test_the_model_sees_the_tool_as_it_is_and_its_arguments_are_checked() -> None:
    model = ScriptedLLM([calls("price", fish="soup"), "Well."])
    async with AgentSession(llm=model, vad=None) as held:
        await held.start(Waiter())
        with mock_tools(Waiter, {"price": lambda: 12}):
            assert "dish" in await output(held)  # it is missing


async def test_mocks_of_a_session_hold_until_they_are_replaced() -> None:
    async with session(*FOUR_TIMES) as held, session(ASKED, "Well.") as other:
        await held.start(Waiter())
        await other.start(Waiter())
        mock_tools(Waiter, {"price": lambda: "mocked"}, session=held)
        assert await output(held) == "mocked"
        assert await output(held) == "mocked"
        assert await output(other) == "the real thing"
        with mock_tools(Waiter, {"price": lambda: "nearer"}):
            assert await output(held) == "nearer"
        mock_tools(Waiter, {}, session=held)
        assert await output(held) == "the real thing"


async def test_mocks_reach_the_agent_that_takes_over_in_the_run() -> None:
    async with session(calls("manager"), ASKED, "Well.") as held:
        await held.start(Waiter())
        with mock_tools(Manager, {"price": lambda: "of the manager"}):
            assert await output(held) == "of the manager"


async def test_mocks_of_a_class_are_those_of_its_kinds_too() -> None:
    async with session(ASKED, "Well.") as held:
        await held.start(type("Novice", (Waiter,), {})())
        with mock_tools(Waiter, {"price": lambda: "mocked"}):
            assert await output(held) == "mocked"


def test_what_cannot_be_mocked_is_refused() -> None:
    with pytest.raises(ArgumentError, match="write the class of the agent"):
        mock_tools(Waiter(), {})  # type: ignore[call-overload]
    with pytest.raises(ArgumentError, match="'price' is 12; write a function"):
        mock_tools(Waiter, {"price": 12})  # type: ignore[dict-item]
