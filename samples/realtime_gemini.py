"""A speech-to-speech model: Gemini Live hears the caller and speaks itself, and takes over a call.

export GOOGLE_API_KEY=…; antiphon console samples/realtime_gemini.py
"""

from livekit.plugins import google

from antiphon import Agent, AgentServer, AgentSession, JobContext, cli, function_tool

server = AgentServer()


class Kitchen(Agent):
    """Another agent is another session of the model, with what was said until then."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the cook. The soup is leek and potato. Be brief.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Say that the kitchen is here.")


class FrontDesk(Agent):
    """Takes the call."""

    def __init__(self) -> None:
        super().__init__(instructions="You take calls for a small restaurant. Be brief.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Greet the caller.")

    @function_tool
    async def ask_the_kitchen(self) -> Agent:
        """Hand the call over to the kitchen, for questions about the food."""
        return Kitchen()


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(llm=google.realtime.RealtimeModel(voice="Puck"))
    await session.start(FrontDesk(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
