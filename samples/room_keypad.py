"""A phone line: the caller keys in a number, or says it."""

from antiphon import Agent, AgentServer, AgentSession, JobContext, cli
from antiphon.beta.workflows import GetDtmfTask

server = AgentServer()


class Library(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You answer the phone of a library.")

    async def on_enter(self) -> None:
        self.session.say("This is the library. Please key in the four digits of your card.")
        digits = (await GetDtmfTask(num_digits=4)).user_input
        self.session.say(f"Thank you, your card is {digits}. What can I do for you?")


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", llm="local/brain", tts="local/auto")
    await session.start(Library(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
