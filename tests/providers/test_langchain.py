"""LangChain's graphs run in the process, tools and all; a graph of ours is the model."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any

from antiphon import Agent, AgentSession
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
from tests.providers.rows import plugin
from tests.providers.talking import NO_DRAFT

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
