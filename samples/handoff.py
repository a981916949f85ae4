"""A handoff: the front desk passes the caller on to the kitchen.

antiphon console samples/handoff.py --text
try: ask the kitchen / what is the soup
"""

from antiphon import Agent, AgentServer, AgentSession, JobContext, cli, function_tool

server = AgentServer()


class Kitchen(Agent):
    """Knows what there is to eat."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the cook.")

    async def on_enter(self) -> None:
        self.session.say("The kitchen here.")

    @function_tool
    async def soup(self) -> str:
        """The soup of the day."""
        return "The soup is leek and potato."


class FrontDesk(Agent):
    """Answers first, and knows whom to ask."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the front desk.")

    @function_tool
    async def ask_kitchen(self) -> tuple[Agent, str]:
        """Pass the caller on to the kitchen."""
        return Kitchen(), "I will pass you on."


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", llm="local/brain", tts="local/auto")
    await session.start(FrontDesk(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
