"""Running an agent's hooks: `on_enter`, `on_exit`, `on_user_turn_completed`.

Hooks are the application's code. Each runs in a task of its own and its error is a value, so that
whoever waits for it decides what comes of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from antiphon.context import CALL, INSIDE, Inside
from antiphon.idle import TURNING

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from livekit.agents import UserTurnExceededEvent, llm

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation


async def outcome(hook: Awaitable[None]) -> Exception | None:
    """Run a hook; its error is a result, for whoever waits for it."""
    try:
        await hook
    except Exception as error:
        return error
    return None


async def completed(
    conversation: Conversation, agent: Agent, context: llm.ChatContext, message: llm.ChatMessage
) -> Exception | None:
    """Run `on_user_turn_completed`; called here, since a close may come before the task begins."""
    INSIDE.set(Inside(conversation, agent, seat=False))
    TURNING.set(True)
    return await outcome(agent.on_user_turn_completed(context, message))


async def enter(conversation: Conversation, agent: Agent) -> None:
    """Run `on_enter`, in the calling task."""
    INSIDE.set(Inside(conversation, agent, entering=True))
    TURNING.set(False)
    CALL.set(None)  # of the tool that waits for it
    if error := await outcome(agent.on_enter()):
        conversation.faults.failed("on_enter", error)
        conversation.session.deliver()


async def leave(conversation: Conversation, agent: Agent) -> None:
    """Run `on_exit`, in the calling task."""
    INSIDE.set(Inside(conversation, agent))
    TURNING.set(True)
    CALL.set(None)
    if error := await outcome(agent.on_exit()):
        conversation.faults.failed("on_exit", error)
        conversation.session.deliver()


async def exceeded(conversation: Conversation, event: UserTurnExceededEvent) -> None:
    """Run `on_user_turn_exceeded`, in the calling task."""
    agent = conversation.agent
    INSIDE.set(Inside(conversation, agent, written=event.transcript))
    if error := await outcome(agent.on_user_turn_exceeded(event)):
        conversation.faults.failed("on_user_turn_exceeded", error)
        conversation.session.deliver()
