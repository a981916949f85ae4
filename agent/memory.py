"""What was said, for the model and for the application: two histories and one clock.

Wall time is read once; a message's `created_at` is that start plus loop time, so it never runs
backwards and messages sort as they began.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import NotGivenOr, llm

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.agent import Agent
    from antiphon.session import AgentSession

INSTRUCTIONS: Final = "lk.agent_task.instructions"  # LiveKit's id for that message


class Memory:
    """The session's history and those of its agents, always written together."""

    def __init__(self, session: AgentSession[Any]) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._start = time.time() - self._loop.time()

    def wall(self, loop_time: float | None = None) -> float:
        """A loop time (now, without one) as seconds since the epoch."""
        return self._start + (self._loop.time() if loop_time is None else loop_time)

    def user_message(self, text: str | llm.ChatMessage) -> llm.ChatMessage:
        """What the user said, as of now; not written yet."""
        if isinstance(text, llm.ChatMessage):
            return text
        return llm.ChatMessage(role="user", content=[text], created_at=self.wall())

    def write(self, item: llm.ChatItem, agent: Agent) -> None:
        """Add an item to an agent's history and to the session's."""
        agent.remembered.insert(item)
        self._session.history.insert(item)

    def context(self, agent: Agent) -> llm.ChatContext:
        """What that agent's model is to know now: the instructions and the agent's history."""
        items = agent.remembered.items
        if items and items[0].id == INSTRUCTIONS:  # it came with a context of somebody else's
            items = items[1:]
        return llm.ChatContext([_system(agent), *items])

    def refreshed(self, given: llm.ChatContext, told: str, agent: Agent) -> llm.ChatContext:
        """The context a model was given, with what has been added to the history since.

        What a hook, a node, or instructions for this reply alone had changed in it stays; `told`
        are the agent's own instructions then, which may be others now.
        """
        found = given.copy().merge(agent.remembered, exclude_instructions=True)
        system = next((item for item in found.items if item.id == INSTRUCTIONS), None)
        if told != agent.instructions and isinstance(system, llm.ChatMessage):
            system.content = [(system.text_content or "").replace(told, agent.instructions, 1)]
        return found

    def asking(
        self,
        instructions: NotGivenOr[str],
        chat_ctx: NotGivenOr[llm.ChatContext],
        agent: Agent,
    ) -> Callable[[], llm.ChatContext]:
        """The context of a reply with instructions of its own, taken when the model is called."""

        def context() -> llm.ChatContext:
            found = chat_ctx.copy() if isinstance(chat_ctx, llm.ChatContext) else None
            found = found or self.context(agent)
            if instructions:
                system = next((i for i in found.items if i.id == INSTRUCTIONS), None)
                if isinstance(system, llm.ChatMessage):
                    system.content = [f"{system.text_content}\n{instructions}"]
                else:
                    found.add_message(role="system", content=str(instructions), created_at=0.0)
            return found

        return context


def _system(agent: Agent) -> llm.ChatMessage:
    return llm.ChatMessage(
        role="system", content=[agent.instructions], id=INSTRUCTIONS, created_at=0.0
    )
