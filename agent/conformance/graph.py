"""A LangChain graph as a program writes one, whose chat model asks OpenAI's chat completions."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from openai import AsyncOpenAI

from antiphon.conformance.provider import KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RETRIES: Final = 2  # as LangChain's own models: nobody else may repeat what a graph does
ROLES: Final = {"human": "user", "ai": "assistant", "system": "system"}


def graph(url: str, model: str) -> Any:
    """One node, which answers; the words of its model are streamed."""
    graphs: Any = import_module("langgraph.graph")
    whole = graphs.StateGraph(graphs.MessagesState)
    chat = _asking(url, model)

    async def answer(state: dict[str, Any]) -> dict[str, Any]:
        return {"messages": [await chat.ainvoke(state["messages"])]}

    whole.add_node("answer", answer)
    whole.add_edge(graphs.START, "answer")
    whole.add_edge("answer", graphs.END)
    return whole.compile()


def _asking(url: str, model: str) -> Any:
    models: Any = import_module("langchain_core.language_models")
    messages: Any = import_module("langchain_core.messages")
    outputs: Any = import_module("langchain_core.outputs")

    class Asking(models.BaseChatModel):  # type: ignore[misc]  # LangChain may not be there
        def _generate(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

        async def _astream(self, said: list[Any], *_: Any, **__: Any) -> AsyncIterator[Any]:
            told: Any = [{"role": ROLES[each.type], "content": each.content} for each in said]
            address = f"{url}/v1"
            async with (
                AsyncOpenAI(api_key=KEY, base_url=address, max_retries=RETRIES) as client,
                await client.chat.completions.create(
                    model=model, messages=told, stream=True
                ) as pieces,
            ):
                async for piece in pieces:
                    text = piece.choices[0].delta.content if piece.choices else ""
                    message = messages.AIMessageChunk(content=text or "")
                    yield outputs.ChatGenerationChunk(message=message)

        @property
        def _llm_type(self) -> str:
            return "asking"

    return Asking()
