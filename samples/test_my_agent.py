"""Testing an agent turn by turn: text in, assertions on what it said and which tools it called.

pytest samples/test_my_agent.py
"""

import asyncio

from antiphon import Agent, AgentSession, RunContext, ToolError, function_tool, mock_tools
from antiphon.simulate import ScriptedLLM, calls


class Host(Agent):
    """Takes bookings for a restaurant."""

    def __init__(self) -> None:
        super().__init__(instructions="You take bookings for a restaurant.")

    async def on_enter(self) -> None:
        await self.session.say("Good evening. For how many?")

    @function_tool
    async def book(self, context: RunContext, guests: int) -> str:
        """Book a table."""
        raise NotImplementedError("the restaurant's own system")


def test_the_host_greets() -> None:
    async def talk() -> None:
        async with AgentSession() as session:
            result = await session.start(Host(), capture_run=True)
        result.expect.next_event().is_agent_handoff(new_agent_type=Host)
        result.expect.next_event().is_message(role="assistant")
        result.expect.no_more_events()

    asyncio.run(talk())


def test_the_host_apologises_when_the_restaurant_is_full() -> None:
    def full() -> str:
        raise ToolError("no table is free")

    async def talk() -> None:
        # A model of yours goes here; a scripted one needs no key, and says the same every time.
        model = ScriptedLLM([calls("book", guests=4), "I am sorry, we are full."])
        async with AgentSession(llm=model) as session:
            await session.start(Host())
            with mock_tools(Host, {"book": full}):
                result = await session.run(user_input="We are four")
        result.expect.next_event().is_function_call(name="book", arguments={"guests": 4})
        result.expect.next_event().is_function_call_output(is_error=True)
        answer = result.expect.next_event().is_message(role="assistant")
        assert "sorry" in (answer.event().item.text_content or "")
        result.expect.no_more_events()

    asyncio.run(talk())
