"""An agent that sees: what the user shows as they ask goes with the question.

The language model here only tells the colour, and needs no key. For one that sees, leave `llm_node`
out and name the model: `AgentSession(llm="openai/gpt-4.1", …)`.
"""

from collections.abc import AsyncIterable

import numpy as np
from livekit import rtc

from antiphon import Agent, AgentServer, AgentSession, JobContext, cli, room_io
from antiphon.llm import ChatContext, ChatMessage, ImageContent

server = AgentServer()


class Watcher(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You say what you see.")

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        new_message.content += seen(self.session)

    async def llm_node(self, chat_ctx: ChatContext, *_: object) -> AsyncIterable[str]:
        question = chat_ctx.messages()[-1]
        pictures = [part.image for part in question.content if isinstance(part, ImageContent)]
        if pictures:
            yield f"I see something {colour(pictures[-1])}."
        else:
            yield "I see nothing: is your camera on?"


def seen(session: AgentSession) -> list[ImageContent]:
    """What the user's camera or screen shows now."""
    return [] if session.picture is None else [ImageContent(image=session.picture)]


async def written(session: AgentSession, event: room_io.TextInputEvent) -> None:
    """What is written instead of said goes with a picture too."""
    await session.interrupt()
    question = ChatMessage(role="user", content=[event.text, *seen(session)])
    session.generate_reply(user_input=question)


def colour(picture: rtc.VideoFrame | str) -> str:
    assert isinstance(picture, rtc.VideoFrame)
    pixels = np.frombuffer(picture.convert(rtc.VideoBufferType.RGBA).data, np.uint8)
    return ("red", "green", "blue")[int(pixels.reshape(-1, 4)[:, :3].mean(axis=0).argmax())]


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(
        stt="local/pocketsphinx",
        tts="local/auto",
        video_sampler=None,  # every picture may be looked at: one goes with each question
    )
    options = room_io.RoomOptions(
        video_input=True, text_input=room_io.TextInputOptions(text_input_cb=written)
    )
    await session.start(Watcher(), room=ctx.room, room_options=options)


if __name__ == "__main__":
    cli.run_app(server)
