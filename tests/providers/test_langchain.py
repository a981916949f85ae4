"""LangChain's graphs run in the process, tools and all; a graph of ours is the model."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import Agent, AgentSession
from antiphon.conformance.providers import plugin
from antiphon.conformance.talking import NO_DRAFT
from antiphon.simulate import (
    OWN,
    ScriptedSTT,
    ScriptedTTS,
    ScriptedVAD,
    calling,
    interrupts,
    listens,
    says,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FIRST = "Of course. There is a table for four at eight."


def graph(text: str, *, ended: list[str] | None = None) -> Any:
    """A graph of one node, which is a chat model that streams `text`, and says when it ended."""
    plugin("langchain")
    graphs: Any = import_module("langgraph.graph")
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    class Parrot(BaseChatModel):
        def _generate(self, *_: Any, **__: Any) -> ChatResult:
            raise NotImplementedError

        async def _astream(
            self, messages: list[BaseMessage], *_: Any, **__: Any
        ) -> AsyncIterator[ChatGenerationChunk]:
            said = False
            try:
                for word in text.split():
                    await asyncio.sleep(0.02)
                    yield ChatGenerationChunk(message=AIMessageChunk(content=word + " "))
                said = True
            finally:
                if ended is not None:
                    ended.append("said" if said else "cut")

        @property
        def _llm_type(self) -> str:
            return "parrot"

    async def answer(state: dict[str, Any]) -> dict[str, Any]:
        return {"messages": [await Parrot().ainvoke(state["messages"])]}

    whole = graphs.StateGraph(graphs.MessagesState)
    whole.add_node("answer", answer)
    whole.add_edge(graphs.START, "answer")
    whole.add_edge("answer", graphs.END)
    return whole.compile()


def session_of(made: Any) -> AgentSession[Any]:
    model = plugin("langchain").LLMAdapter(made)
    return AgentSession(
        stt=ScriptedSTT(),
        vad=ScriptedVAD(),
        tts=ScriptedTTS(),
        llm=model,
        turn_handling=NO_DRAFT,
    )


async def test_a_graph_streams_into_speech() -> None:
    session = session_of(graph(FIRST))
    async with calling(Agent(instructions="Be brief."), session=session, llm=OWN) as call:
        await call.play(says("a table for four please"), listens())
    assert call.said("agent") == [FIRST]


async def test_a_barge_in_ends_the_graph() -> None:
    ended: list[str] = []
    session = session_of(graph("one two three four five. " * 400, ended=ended))
    async with calling(Agent(instructions="Be brief."), session=session, llm=OWN) as call:
        await call.play(says("count"), interrupts("stop that is enough", into=2.0))
        assert ended[0] == "cut"
        await call.play(interrupts("stop", into=1.0))
    assert ended[:2] == ["cut", "cut"]


RAW = '{"rows": [17, 4], "secret": "x9"}'


def calling_graph(*, by_hand: bool) -> Any:
    """A graph whose model calls a tool, and which answers by itself when it has been called."""
    plugin("langchain")
    graphs: Any = import_module("langgraph.graph")
    ready: Any = import_module("langgraph.prebuilt")
    from langchain_core.messages import AIMessage, SystemMessage, ToolMessage
    from langchain_core.tools import tool

    @tool
    def look(where: str) -> str:
        """Look somewhere."""
        return RAW

    async def ask(_: dict[str, Any]) -> dict[str, Any]:
        call = {"name": "look", "args": {"where": "here"}, "id": "call_1"}
        return {"messages": [AIMessage(content="", tool_calls=[call])]}

    async def look_by_hand(_: dict[str, Any]) -> dict[str, Any]:
        return {"messages": [ToolMessage(content=RAW, tool_call_id="call_1")]}

    async def answer(state: dict[str, Any]) -> dict[str, Any]:
        assert state["messages"][-1].text == RAW
        told = SystemMessage(content="Nobody may hear this.")
        return {"messages": [told, AIMessage(content="There are two rows.")]}

    whole = graphs.StateGraph(graphs.MessagesState)
    whole.add_node("ask", ask)
    whole.add_node("look", look_by_hand if by_hand else ready.ToolNode([look]))
    whole.add_node("answer", answer)
    for one, other in ((graphs.START, "ask"), ("ask", "look"), ("look", "answer")):
        whole.add_edge(one, other)
    whole.add_edge("answer", graphs.END)
    return whole.compile()


@pytest.mark.parametrize("by_hand", [False, True])
async def test_what_a_tool_of_a_graph_gives_is_never_spoken(by_hand: bool) -> None:
    session = session_of(calling_graph(by_hand=by_hand))
    async with calling(Agent(instructions="Be brief."), session=session, llm=OWN) as call:
        await call.play(says("how many rows"), listens())
        await call.play(says("and again"), listens())
    assert call.said("agent") == ["There are two rows.", "There are two rows."]


async def test_a_graph_may_repeat_in_its_own_words_what_a_tool_gave() -> None:
    plugin("langchain")
    graphs: Any = import_module("langgraph.graph")
    from langchain_core.messages import AIMessage, ToolMessage

    async def answer(_: dict[str, Any]) -> dict[str, Any]:
        given = ToolMessage(content="It is open.", tool_call_id="call_1")
        return {"messages": [given, AIMessage(content="It is open.")]}

    whole = graphs.StateGraph(graphs.MessagesState)
    whole.add_node("answer", answer)
    whole.add_edge(graphs.START, "answer")
    whole.add_edge("answer", graphs.END)
    session = session_of(whole.compile())
    async with calling(Agent(instructions="Be brief."), session=session, llm=OWN) as call:
        await call.play(says("is it open"), listens())
    assert call.said("agent") == ["It is open."]
