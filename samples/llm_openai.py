"""`llm_node` over OpenAI's own client: for what it can do and no plugin passes on.

OPENAI_API_KEY=… antiphon console samples/llm_openai.py --text
"""

from collections.abc import AsyncIterator
from typing import Any

from openai import AsyncOpenAI

from antiphon import Agent, AgentServer, AgentSession, ChatContext, JobContext, ModelSettings, cli
from antiphon.llm import Tool

server = AgentServer()


class OverOpenAI(Agent):
    """`OPENAI_BASE_URL` names any other server of the same protocol."""

    def __init__(self) -> None:
        super().__init__(instructions="Answer in one sentence.")
        self.client = AsyncOpenAI()

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> AsyncIterator[str]:
        said: list[Any] = [
            {"role": message.role, "content": message.text_content}
            for message in chat_ctx.messages()
        ]
        asked = self.client.chat.completions.create(
            model="gpt-4.1-mini", messages=said, stream=True, logit_bias={"1734": -100}
        )
        async with await asked as answer:  # left early, as by a barge-in, it closes the connection
            async for chunk in answer:
                if chunk.choices:
                    yield chunk.choices[0].delta.content or ""

    async def on_exit(self) -> None:
        await self.client.close()


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", tts="local/auto")
    await session.start(OverOpenAI(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
