"""An agent to talk over: it tells a story when asked, and says what became of each interruption.

antiphon console samples/interruptions.py --wav samples/callers/interrupts.wav --out out/
antiphon console samples/interruptions.py --wav samples/callers/hums.wav
"""

from antiphon import (
    Agent,
    AgentFalseInterruptionEvent,
    AgentServer,
    AgentSession,
    ChatMessage,
    ConversationItemAddedEvent,
    JobContext,
    cli,
)

MARGIN = " " * 16
server = AgentServer()


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", llm="local/brain", tts="local/auto")

    @session.on("agent_false_interruption")
    def went_on(event: AgentFalseInterruptionEvent) -> None:
        print(f"{MARGIN}that was no interruption: the story goes on")

    @session.on("conversation_item_added")
    def remembered(event: ConversationItemAddedEvent) -> None:
        item = event.item
        if isinstance(item, ChatMessage) and item.interrupted:
            heard = (item.text_content or "").split()
            print(f"{MARGIN}cut after {len(heard)} words, the last one heard: {heard[-1]}")

    await session.start(Agent(instructions="You are Ada. You like stories."), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
