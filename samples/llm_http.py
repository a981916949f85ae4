"""`llm_node` over raw HTTP: any server that speaks the OpenAI protocol, Ollama for one.

LLM_URL=http://127.0.0.1:11434/v1 LLM_MODEL=llama3.2 antiphon console samples/llm_http.py --text
"""

import json
import os
from collections.abc import AsyncIterator

import aiohttp

from antiphon import Agent, AgentServer, AgentSession, ChatContext, JobContext, ModelSettings, cli
from antiphon.llm import Tool

server = AgentServer()


class OverHttp(Agent):
    """Leaving the generator, as a barge-in does, closes the connection."""

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> AsyncIterator[str]:
        said = [
            {"role": message.role, "content": message.text_content}
            for message in chat_ctx.messages()
        ]
        asked = {"model": os.environ.get("LLM_MODEL", "llama3.2"), "messages": said, "stream": True}
        url = os.environ.get("LLM_URL", "http://127.0.0.1:11434/v1") + "/chat/completions"
        async with aiohttp.ClientSession() as http, http.post(url, json=asked) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                data = line.decode().removeprefix("data:").strip()
                if data and data != "[DONE]":
                    yield json.loads(data)["choices"][0]["delta"].get("content") or ""


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", tts="local/auto")
    await session.start(OverHttp(instructions="Answer in one sentence."), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
