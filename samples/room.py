"""An agent in a LiveKit room: it greets whoever is there, and goes on where another one died."""

from antiphon import Agent, AgentServer, AgentSession, JobContext, cli
from antiphon.jobs import lost_call

server = AgentServer()


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", llm="local/brain", tts="local/auto")
    await session.start(Agent(instructions="You are Ada, a friendly assistant."), room=ctx.room)
    if lost_call(ctx):
        session.say("Sorry, I was away for a moment. Where were we?")
    else:
        session.say("Hello, this is Ada. What can I do for you?")


if __name__ == "__main__":
    cli.run_app(server)
