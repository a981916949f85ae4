"""`llm_node` over a library that blocks: each token is waited for in a thread.

antiphon console samples/llm_blocking.py --text
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from antiphon import Agent, AgentServer, AgentSession, ChatContext, JobContext, ModelSettings, cli
from antiphon.llm import Tool

server = AgentServer()


def generate(prompt: str) -> Iterator[str]:
    """Stands for such a library: llama-cpp-python's `create_completion(…, stream=True)`, say."""
    for word in f"I have thought about {prompt} and have nothing to add.".split():
        time.sleep(0.02)
        yield word + " "


class Blocking(Agent):
    """The event loop, and with it every other call, goes on while a token is made. A barge-in ends
    the answer after the token that is being made: no other is asked for."""

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> AsyncIterator[str]:
        tokens = generate(chat_ctx.messages()[-1].text_content or "it")
        while token := await asyncio.to_thread(next, tokens, ""):
            yield token


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", tts="local/auto")
    await session.start(Blocking(instructions="Say little."), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
