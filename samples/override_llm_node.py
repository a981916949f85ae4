"""A language model of one's own: `llm_node` as an async generator over whatever there is.

antiphon console samples/override_llm_node.py --text
"""

from collections.abc import AsyncIterator

from livekit.agents import llm

from antiphon import (
    Agent,
    AgentServer,
    AgentSession,
    ChatContext,
    JobContext,
    ModelSettings,
    cli,
)

SMALL = {"hello": "hi", "goodbye": "bye", "would like to": "want to"}

server = AgentServer()


class Parrot(Agent):
    """Says what it hears, shorter. The tokens of a real model are yielded the same way."""

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncIterator[str]:
        said = next(
            (
                message.text_content or ""
                for message in reversed(chat_ctx.messages())
                if message.role == "user"
            ),
            "nothing",
        )
        yield "You said: "
        for long, short in SMALL.items():
            said = said.replace(long, short)
        for word in said.split():
            yield word + " "


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", tts="local/auto")
    await session.start(Parrot(instructions="Repeat what you hear."), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
