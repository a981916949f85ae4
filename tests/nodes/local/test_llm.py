"""The stand-in behind LiveKit's interface: its pace, and the tools it calls by keyword."""

from __future__ import annotations

import asyncio
import json
from typing import Literal

import pytest
from livekit.agents import llm

from antiphon.nodes.local.llm import LLM, think
from antiphon.nodes.local.toolcall import Call, tell
from antiphon.pipeline import clock
from antiphon.pipeline.errors import UsageError


@llm.function_tool
async def get_weather(location: str) -> str:
    """Get the current weather.

    Args:
        location: the city
    """
    return f"sunny in {location}"


@llm.function_tool
async def book_table(people: int, time: str, name: str | None = None) -> str:
    """Book a table at the restaurant."""
    return f"{people} at {time} for {name}"


@llm.function_tool
async def lookup_order(order_id: int) -> str:
    """Look up the status of an order."""
    return f"{order_id}"


@llm.function_tool
async def set_lights(on: bool, room: Literal["kitchen", "bedroom"]) -> str:
    """Turn the lights in a room on or off."""
    return f"{on} {room}"


@llm.function_tool
async def end_call() -> None:
    """End the call."""


@llm.function_tool(
    raw_schema={
        "name": "playMusic",
        "description": "Play a song",
        "parameters": {"type": "object", "properties": {"genres": {"type": "array"}}},
    }
)
async def play_music(raw_arguments: dict[str, object]) -> None:
    """Described by its raw schema."""


TOOLS: list[llm.Tool] = [get_weather, book_table, lookup_order, set_lights, end_call, play_music]


def context(*said: str, instructions: str = "You are Ada.") -> llm.ChatContext:
    """A history of user and agent in turn, the user first."""
    chat = llm.ChatContext.empty()
    chat.add_message(role="system", content=instructions)
    for index, text in enumerate(said):
        chat.add_message(role="assistant" if index % 2 else "user", content=text)
    return chat


@pytest.mark.parametrize(
    ("first", "pace"), [(0.0, 100.0), (0.25, 40.0), (1.0, 3.0)], ids=["quick", "usual", "slow"]
)
def test_tokens_come_at_the_pace_that_was_set(first: float, pace: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        begun, seen = loop.time(), []
        model, usage = LLM(first_token=first, tokens_per_second=pace), None
        async with model.chat(chat_ctx=context("what is twelve times seven")) as stream:
            async for chunk in stream:
                if chunk.delta:
                    seen.append((chunk.delta.content, loop.time() - begun))
                else:
                    usage = chunk.usage
        assert "".join(token or "" for token, _ in seen) == "12 times 7 is 84."
        assert [at for _, at in seen] == pytest.approx([first + n / pace for n in range(5)])
        assert usage is not None
        assert usage.completion_tokens == 5

    clock.run(main(), strict=True)


def test_an_answer_can_be_left_in_the_middle() -> None:
    async def main() -> None:
        model = LLM(tokens_per_second=10)
        async with model.chat(chat_ctx=context("tell me a story")) as stream:
            for _ in range(7):
                await anext(stream)
        assert asyncio.get_running_loop().time() == pytest.approx(0.6)

    clock.run(main(), strict=True)


def test_a_pace_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(UsageError, match="tokens_per_second"):
        LLM(tokens_per_second=0)


def test_a_name_in_the_instructions_is_its_name() -> None:
    assert str(think(context("what is your name"), [])).startswith("I am Ada")


@pytest.mark.parametrize(
    ("said", "call"),
    [
        ("what is the weather in paris please", Call("get_weather", {"location": "paris"})),
        ("What's the weather in New York today?", Call("get_weather", {"location": "New York"})),
        ("book a table for four at seven", Call("book_table", {"people": 4, "time": "seven"})),
        (
            "can i book a table for two people at eight thirty named Smith",
            Call("book_table", {"people": 2, "time": "eight thirty", "name": "Smith"}),
        ),
        ("where is my order forty two", Call("lookup_order", {"order_id": 42})),
        (
            "turn off the lights in the kitchen",
            Call("set_lights", {"on": False, "room": "kitchen"}),
        ),
        ("bedroom lights on please", Call("set_lights", {"on": True, "room": "bedroom"})),
        ("please end the call now", Call("end_call", {})),
        ("play music", Call("playMusic", {})),
    ],
)
def test_a_tool_is_called_by_its_keywords_with_what_was_said(said: str, call: Call) -> None:
    assert think(context(said), TOOLS) == call


@pytest.mark.parametrize(
    "said", ["hello", "stop", "what time is it", "what is two times three", "what is your name"]
)
def test_talk_that_is_about_no_tool_calls_none(said: str) -> None:
    assert isinstance(think(context(said), TOOLS), str)
    assert think(context(said), TOOLS) == think(context(said), [])


def test_what_a_tool_needs_is_asked_for_and_the_answer_taken() -> None:
    asked = think(context("how is the weather"), TOOLS)
    assert asked == "I can do that. What is the location?"

    for answer in ("London.", "in London"):
        call = think(context("how is the weather", asked, answer), TOOLS)
        assert call == Call("get_weather", {"location": "London"})

    asked = think(context("book a table for four people"), TOOLS)
    assert asked == "I can do that. What is the time?"
    call = think(context("book a table for four people", asked, "seven o'clock"), TOOLS)
    assert call == Call("book_table", {"people": 4, "time": "seven o'clock"})


def test_the_tool_choice_is_honoured() -> None:
    weather = context("what is the weather in paris")
    assert isinstance(think(weather, TOOLS, "none"), str)

    nonsense = context("la la la")
    assert isinstance(think(nonsense, TOOLS), str)
    assert isinstance(think(nonsense, TOOLS, "required"), Call)
    named = think(nonsense, TOOLS, {"type": "function", "function": {"name": "lookup_order"}})
    assert named == Call("lookup_order", {"order_id": 0})


def test_a_call_goes_out_as_a_chunk_and_its_result_is_spoken() -> None:
    async def main() -> None:
        chat = context("what is the weather in paris")
        first = await LLM().chat(chat_ctx=chat, tools=TOOLS).collect()
        assert first.text == ""
        call = first.tool_calls[0]
        assert json.loads(call.arguments) == {"location": "paris"}

        result = await llm.execute_function_call(call, llm.ToolContext(TOOLS))
        assert result.fnc_call_out is not None
        chat.insert([result.fnc_call, result.fnc_call_out])
        second = await LLM().chat(chat_ctx=chat, tools=TOOLS).collect()
        assert second.text == "sunny in paris."
        assert second.tool_calls == []

    clock.run(main())


@pytest.mark.parametrize(
    ("output", "spoken"),
    [
        ("It is sunny.", "It is sunny."),
        ("booked", "booked."),
        ('{"sky": "clear", "degrees_outside": 21}', "sky: clear, degrees outside: 21."),
        ("{'a': [1, 2]}", "a: 1, 2."),
        ('["tea", "milk"]', "tea, milk."),
        ("42", "42."),
        ("", "Done."),
        ("None", "Done."),
        ("null", "Done."),
    ],
)
def test_a_result_is_told_in_words(output: str, spoken: str) -> None:
    assert tell(output, is_error=False) == spoken


def test_a_tool_that_failed_is_said_to_have_failed() -> None:
    assert tell("no such order", is_error=True) == "That did not work: no such order"
