"""An agent that sees: it looks at the user's camera whenever it answers.

It only tells the colour. For a model that sees, append `ImageContent(image=picture)` to the content
of the last message instead, and pass everything on to `Agent.default.llm_node`.
"""

from collections.abc import AsyncIterable
from contextlib import aclosing

import numpy as np
from livekit import rtc

from antiphon import Agent, AgentServer, AgentSession, JobContext, cli

server = AgentServer()


class Watcher(Agent):
    def __init__(self, room: rtc.Room) -> None:
        super().__init__(instructions="You say what you see.")
        self.room = room

    async def llm_node(self, *_: object) -> AsyncIterable[str]:
        picture = await seen(self.room)
        if picture is None:
            yield "I see nothing: is your camera on?"
        else:
            yield f"I see something {colour(picture)}."


async def seen(room: rtc.Room) -> rtc.VideoFrame | None:
    """What somebody's camera shows now."""
    for participant in room.remote_participants.values():
        for publication in participant.track_publications.values():
            if publication.kind == rtc.TrackKind.KIND_VIDEO and publication.track is not None:
                async with aclosing(rtc.VideoStream(publication.track)) as frames:
                    async for event in frames:
                        return event.frame
    return None


def colour(picture: rtc.VideoFrame) -> str:
    pixels = np.frombuffer(picture.convert(rtc.VideoBufferType.RGBA).data, np.uint8)
    return ("red", "green", "blue")[int(pixels.reshape(-1, 4)[:, :3].mean(axis=0).argmax())]


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", tts="local/auto")
    await session.start(Watcher(ctx.room), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
