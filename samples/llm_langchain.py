"""`llm_node` over LangChain: any chat model or runnable that streams messages.

antiphon console samples/llm_langchain.py --text
"""

from collections.abc import AsyncIterator

from langchain_core.language_models import BaseChatModel, FakeListChatModel

from antiphon import Agent, AgentServer, AgentSession, ChatContext, JobContext, ModelSettings, cli
from antiphon.llm import Tool

server = AgentServer()


class OverLangChain(Agent):
    """Put `ChatOpenAI()`, `ChatOllama()`, or a chain that ends in one, in place of the stand-in."""

    def __init__(self, model: BaseChatModel) -> None:
        super().__init__(instructions="Answer in one sentence.")
        self.model = model

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> AsyncIterator[str]:
        roles = {"developer": "system"}
        said = [
            (roles.get(message.role, message.role), message.text_content or "")
            for message in chat_ctx.messages()
        ]
        async for chunk in self.model.astream(said):
            yield str(chunk.content)


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    stand_in = FakeListChatModel(responses=["I am a stand-in for a model.", "Still a stand-in."])
    session = AgentSession(stt="local/pocketsphinx", tts="local/auto")
    await session.start(OverLangChain(stand_in), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
