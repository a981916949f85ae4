"""What programs for LiveKit do that is easily left out, each small: it works as it does there."""

from __future__ import annotations

import time
from typing import Any

import pytest

from antiphon import Agent, AgentSession, AgentTask, ModelSettings, function_tool, llm
from antiphon.beta.workflows import TaskGroup
from antiphon.simulate import Calls, ScriptedLLM, calls, says, simulate


class Adding(Agent):
    """Its `llm_node` offers one tool more, made for this request."""

    def __init__(self) -> None:
        super().__init__(instructions="Answer.")
        self.offered: list[list[str]] = []

    def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> Any:
        async def weather(city: str) -> str:
            """The weather in a city."""
            return f"rain in {city}"

        tools.append(function_tool(weather))
        self.offered.append([tool.id for tool in tools])
        return Agent.default.llm_node(self, chat_ctx, tools, model_settings)


def test_a_tool_that_a_node_adds_for_one_request_can_be_called() -> None:
    agent = Adding()
    call = simulate(agent, says("Rome?"), llm=[calls("weather", city="Rome"), "It rains."])
    assert [(tool.name, tool.output) for tool in call.tools] == [("weather", "rain in Rome")]
    assert agent.offered == [["weather"], ["weather"]]


class Dropping(Agent):
    """Its `llm_node` withdraws all tools."""

    def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> Any:
        tools.clear()
        return Agent.default.llm_node(self, chat_ctx, tools, model_settings)

    @function_tool
    async def pay(self) -> str:
        """Pays."""
        return "paid"


def test_a_tool_that_a_node_withdraws_cannot_be_called() -> None:
    agent = Dropping(instructions="Answer.")
    call = simulate(agent, says("Pay"), llm=[calls("pay"), "I cannot."])
    assert [tool.is_error for tool in call.tools] == [True]


class Pair(Agent):
    @function_tool
    async def both(self) -> tuple[None, str]:
        """Gives two things."""
        return None, "done"


def test_a_tuple_that_a_tool_returns_is_a_list_for_the_model() -> None:
    call = simulate(Pair(instructions=""), says("Both"), llm=[calls("both"), "Done."])
    assert [tool.output for tool in call.tools] == ["[None, 'done']"]


class GetName(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="Ask for the name.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Ask.")

    @function_tool
    async def named(self, name: str) -> None:
        """Takes it."""
        self.complete(name)


class Desk(Agent):
    @function_tool
    async def book(self) -> str:
        """Books."""
        return "booked for " + await GetName()


CALLED = ["function_call", "function_call_output"]


def order(context: llm.ChatContext) -> list[str]:
    """What was said, called and given, in order."""
    found = []
    for item in context.items:
        if isinstance(item, llm.ChatMessage) and item.role != "system":
            found.append(item.text_content or "")
        elif isinstance(item, llm.FunctionCall):
            found.append(f"call {item.name}")
        elif isinstance(item, llm.FunctionCallOutput):
            found.append(f"output {item.name}")
    return found


def test_a_call_stays_before_the_question_of_the_task_that_it_began() -> None:
    agent = Desk(instructions="Serve.")
    model = ScriptedLLM([calls("book"), "Who are you?", calls("named", name="Ada"), "Done."])
    call = simulate(agent, [says("Book"), says("Ada")], llm=model)
    told = ["Book", "call book", "Who are you?", "Ada", "output book", "Done."]
    assert [line for line in order(call.session.history) if "named" not in line] == told
    assert order(agent.chat_ctx) == told


def test_a_task_knows_what_call_it_is_of_before_it_is_told_what_to_ask() -> None:
    model = ScriptedLLM([calls("book"), "Who are you?", calls("named", name="Ada"), "Done."])
    simulate(Desk(instructions="Serve."), [says("Book"), says("Ada")], llm=model)
    kinds = [item.type for item in model.asked[1].items]
    assert kinds == ["message", *CALLED, "agent_config_update", "message"]  # told: "Ask."


class Remembering(Agent):
    """Notes something in its history on entering, at a time that the machine's clock gives."""

    async def on_enter(self) -> None:
        context = self.chat_ctx.copy()
        ahead = time.time() + 3600  # the clock was set on since the call began
        context.add_message(role="system", content="Known: Ada.", created_at=ahead)
        await self.update_chat_ctx(context)
        await self.session.generate_reply()


def test_what_a_hook_notes_stays_before_what_is_said_after_it() -> None:
    agent = Remembering(instructions="Greet.")
    simulate(agent, says("Hi"), llm=["Hello.", "Yes?"])
    texts = [item.text_content for item in agent.chat_ctx.messages()]
    assert texts == ["Greet.", "Known: Ada.", "Hello.", "Hi", "Yes?"]


class Rating(AgentTask[int]):
    def __init__(self) -> None:
        super().__init__(instructions="Ask for a rating.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Ask.")

    @function_tool
    async def rated(self, rating: int) -> None:
        """Takes it."""
        self.complete(rating)


class Survey(Agent):
    async def on_enter(self) -> None:
        group = TaskGroup(summarize_chat_ctx=False)
        group.add(GetName, id="name", description="the name")
        group.add(Rating, id="rating", description="the rating")
        await group


def test_a_task_of_a_group_is_told_of_no_calls_that_it_cannot_make() -> None:
    model = ScriptedLLM(
        ["Who?", calls("named", name="Ada"), "How was it?", calls("rated", rating=5)]
    )
    simulate(Survey(instructions="Ask."), [says("Ada"), says("Five")], llm=model)
    assert order(model.asked[-1]) == ["Who?", "Ada", "How was it?", "Five"]


class Hasty(Agent):
    """Cuts its own speech in a tool, and says something else before the tool is done."""

    @function_tool
    async def leave(self) -> str:
        """Leaves."""
        self.session.interrupt()
        await self.session.generate_reply(instructions="Say goodbye.", allow_interruptions=False)
        return "left"


async def test_a_run_has_the_output_of_a_tool_that_cut_its_own_speech() -> None:
    async with AgentSession[None](llm=ScriptedLLM([calls("leave"), "Bye."])) as session:
        await session.start(Hasty(instructions="Serve."))
        result = await session.run(user_input="I must go")
        result.expect.next_event().is_function_call(name="leave")
        result.expect.next_event().is_message(role="assistant")
        result.expect.next_event().is_function_call_output(output="left")
        result.expect.no_more_events()


class Breaking(ScriptedLLM):
    """Fails whenever it is asked."""

    def chat(self, **_: Any) -> llm.LLMStream:
        raise OSError("no line to it")


async def test_an_error_names_the_model_that_failed_as_livekit_does() -> None:
    labels: list[str] = []
    async with AgentSession[None](llm=Breaking()) as session:
        session.on("error", lambda event: labels.append(event.error.label))
        await session.start(Agent(instructions="Serve."))
        with pytest.raises(Exception, match="no line to it"):
            await session.run(user_input="Hello")
    assert labels == [Breaking().label]


class Club(Agent):
    """Its tools have plain names, and it keeps a list of its own."""

    def __init__(self) -> None:
        self.models = ["A", "B"]
        super().__init__(instructions="Serve.")

    @function_tool
    async def join(self) -> str:
        """Joins the club."""
        return f"joined for {', '.join(self.models)}"

    @function_tool
    async def leave(self) -> Agent:
        """Leaves the club."""
        return Agent(instructions="Say goodbye.")

    @function_tool
    async def fail(self) -> str:
        """Fails."""
        return "failed"


async def test_tools_and_attributes_may_have_any_plain_name() -> None:
    replies: list[str | Calls] = [
        calls("join"),
        "You are in.",
        calls("fail"),
        "It failed.",
        calls("leave"),
    ]
    async with AgentSession[None](llm=ScriptedLLM(replies)) as session:
        await session.start(Club())
        joined = await session.run(user_input="Join")
        joined.expect.contains_function_call_output(output="joined for A, B")
        await session.run(user_input="Fail")
        left = await session.run(user_input="Leave")
        left.expect.contains_agent_handoff(new_agent_type=Agent)
        assert not isinstance(session.current_agent, Club)
