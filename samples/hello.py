from antiphon import Agent, AgentServer, AgentSession, JobContext, cli

server = AgentServer()


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", llm="local/brain", tts="local/auto")
    await session.start(Agent(instructions="You are Ada, a friendly assistant."), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
