"""Tools: what a model may call, what each does to the world, and what the caller hears meanwhile.

antiphon console samples/tools.py --text
try: what is the weather in rome / book a table for four / pay the bill
"""

import asyncio

from antiphon import (
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    RunContext,
    ToolError,
    cli,
    function_tool,
)

server = AgentServer()


class Waiter(Agent):
    """Looks things up, books tables and takes money."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the waiter of a small restaurant.")

    @function_tool(effect="pure")
    async def weather(self, city: str) -> str:
        """The weather in a city: may be looked up while the caller is still speaking.

        Args:
            city: where
        """
        await asyncio.sleep(0.5)
        return f"It is mild in {city}."

    @function_tool
    async def book_table(self, guests: int) -> str:
        """Book a table: begins when the caller's turn is over.

        Args:
            guests: how many people will come
        """
        if guests > 8:
            raise ToolError("The largest table is for eight.")
        return f"A table for {guests} is booked."

    @function_tool(effect="irrevocable")
    async def pay_bill(self, context: RunContext[None]) -> str:
        """Pay: begins when what was said before has been heard; a barge-in stops it until then."""
        context.disallow_interruptions()
        return "The bill is paid."


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", llm="local/brain", tts="local/auto")
    await session.start(Waiter(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
