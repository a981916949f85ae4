"""A speech-to-speech model: OpenAI's hears the caller and speaks itself, with a tool.

export OPENAI_API_KEY=…; antiphon console samples/realtime_openai.py
"""

from livekit.plugins import openai

from antiphon import Agent, AgentServer, AgentSession, JobContext, cli, function_tool

server = AgentServer()


class Waiter(Agent):
    """Books tables; what the caller hears of a reply that is cut is what the model remembers."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the waiter of a small restaurant. Be brief.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Greet the caller.")

    @function_tool
    async def book_table(self, guests: int) -> str:
        """Book a table.

        Args:
            guests: how many people will come
        """
        return f"A table for {guests} is booked."


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(llm=openai.realtime.RealtimeModel(voice="marin"))
    await session.start(Waiter(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
