"""Text and voice: answers aloud who speaks, and in writing who writes."""

from antiphon import Agent, AgentServer, AgentSession, JobContext, cli, room_io

server = AgentServer()


async def written(session: AgentSession, event: room_io.TextInputEvent) -> None:
    session.output.set_audio_enabled(False)
    await session.interrupt()
    await session.generate_reply(user_input=event.text)
    session.output.set_audio_enabled(True)


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", llm="local/brain", tts="local/auto")
    options = room_io.RoomOptions(text_input=room_io.TextInputOptions(text_input_cb=written))
    agent = Agent(instructions="You are Ada, a friendly assistant.")
    await session.start(agent, room=ctx.room, room_options=options)


if __name__ == "__main__":
    cli.run_app(server)
