"""An agent to talk over: it tells a story when asked, and says what became of each interruption.

antiphon console samples/interruptions.py --wav samples/callers/interrupts.wav --out out/
antiphon console samples/interruptions.py --wav samples/callers/hums.wav
"""

import logging

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

logger = logging.getLogger("interruptions")
server = AgentServer()


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(stt="local/pocketsphinx", llm="local/brain", tts="local/auto")

    @session.on("agent_false_interruption")
    def went_on(event: AgentFalseInterruptionEvent) -> None:
        logger.warning("that was no interruption: the reply goes on where it stopped")

    @session.on("conversation_item_added")
    def remembered(event: ConversationItemAddedEvent) -> None:
        item = event.item
        if isinstance(item, ChatMessage) and item.interrupted:
            heard = (item.text_content or "").split()
            logger.warning("cut after %d words, the last one heard: %r", len(heard), heard[-1])

    await session.start(Agent(instructions="You are Ada. You like stories."), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
