"""`llm_node` over a LangGraph graph with a state of its own, which lasts from turn to turn.

An answer may be prepared before the user has finished, and thrown away when they go on. So each
call works on a state of its own, and what it has made of it lasts only if the answer is let out.

pip install 'antiphon[providers]'; antiphon console samples/llm_graph.py --text
"""

from collections.abc import AsyncIterator
from typing import Any, TypedDict, cast

from langchain_core.messages import AIMessageChunk
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph

from antiphon import (
    Agent,
    AgentServer,
    AgentSession,
    ChatContext,
    JobContext,
    ModelSettings,
    cli,
    when_decided,
)
from antiphon.llm import Tool

server = AgentServer()


class Order(TypedDict):
    """The state: what has been ordered so far."""

    asked: str
    dishes: list[str]


def take(state: Order) -> dict[str, Any]:
    """Where a chat model would be asked; what the writer is given is spoken."""
    dishes = [*state["dishes"], state["asked"]]
    get_stream_writer()(f"Number {len(dishes)}: {state['asked']}.")
    return {"dishes": dishes}


class OverGraph(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take orders.")
        graph = StateGraph(Order)
        graph.add_node("take", take)
        graph.add_edge(START, "take")
        graph.add_edge("take", END)
        self.graph = graph.compile()
        self.state = Order(asked="", dishes=[])

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> AsyncIterator[str]:
        asked = chat_ctx.messages()[-1].text_content or ""
        state = Order(asked=asked, dishes=self.state["dishes"])

        def decided(let_out: bool) -> None:
            if let_out:
                self.state = state

        when_decided(decided)
        async for mode, item in self.graph.astream(
            state, stream_mode=["custom", "messages", "values"]
        ):
            if mode == "values":
                state.update(cast("Order", item))  # what it has come to
            elif mode == "custom":
                yield str(item)
            elif isinstance(item[0], AIMessageChunk):  # never what a tool has given
                yield item[0].text


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", tts="local/auto")
    await session.start(OverGraph(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
