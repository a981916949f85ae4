"""A survey: a group of small tasks, with a way back to an earlier one."""

from antiphon import Agent, AgentServer, AgentSession, AgentTask, JobContext, cli, function_tool
from antiphon.beta.workflows import GetEmailTask, GetNameTask, TaskGroup


class Rating(AgentTask[int]):
    """Asks how the visit was."""

    def __init__(self) -> None:
        super().__init__(instructions="Ask how the visit was, from one to five. Record the answer.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Ask how the visit was, from one to five.")

    @function_tool
    async def record_rating(self, rating: int) -> None:
        """Record how the visit was.

        Args:
            rating: From 1 (bad) to 5 (good).
        """
        self.complete(rating)


class Survey(Agent):
    """Goes through the questions, and says thanks."""

    def __init__(self) -> None:
        super().__init__(instructions="You run a short survey. Be friendly and brief.")
        self.answers: dict[str, object] = {}

    async def on_enter(self) -> None:
        group = TaskGroup(summarize_chat_ctx=False)
        group.add(GetNameTask, id="name", description="The user's first name")
        group.add(Rating, id="rating", description="How the visit was, from 1 to 5")
        group.add(GetEmailTask, id="email", description="The user's e-mail address")
        self.answers = (await group).task_results
        self.session.say("Thank you, that was all. Goodbye!")


server = AgentServer()


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", llm="local/brain", tts="local/auto")
    await session.start(Survey(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
