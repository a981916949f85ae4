"""What was said, for the model and for the application: two histories and one clock.

Wall time is read once; a message's `created_at` is that start plus loop time, so it never runs
backwards and messages sort as they began.
"""

from __future__ import annotations

import asyncio
import time
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final, Literal

from livekit.agents import NOT_GIVEN, NotGivenOr, llm
from livekit.agents.llm.chat_context import Instructions

from antiphon.veil import veiled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from antiphon.agent import Agent
    from antiphon.session import AgentSession

INSTRUCTIONS: Final = "lk.agent_task.instructions"  # LiveKit's ids for these messages
DYNAMIC: Final = "lk.agent_task.instructions.dynamic"
SYSTEM: Final = (INSTRUCTIONS, DYNAMIC)

Told = str | Instructions
Modality = Literal["text", "audio"]


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

    def user_turn(self, text: str) -> llm.ChatMessage:
        """The same of a turn, with what the user shows."""
        message = self.user_message(text)
        message.content += self._session.shown
        return message

    def write(
        self, item: llm.ChatItem, agent: Agent, after: Collection[str] | None = None
    ) -> llm.ChatItem:
        """Add an item to an agent's history and to the session's, as it is in the latter; `after`
        as in `place`."""
        place(item, agent._chat_ctx, after)
        told = _veiled(item) if agent._confidential else item
        place(told, self._session.history, after)
        return told

    def of_this_instant(self) -> set[str]:
        """The ids of what history has of now: it was there before what begins now."""
        now, items = self.wall(), reversed(self._session.history.items)
        return {item.id for item in takewhile(lambda item: item.created_at == now, items)}

    def date(self, context: llm.ChatContext) -> None:
        """Nothing that code added at the end is from later than now: the machine's clock, by which
        it is dated, may have been set, and runs beside a virtual one."""
        now, items = self.wall(), context.items
        for at in reversed(range(len(items))):
            if items[at].created_at <= now:
                break
            items[at] = items[at].model_copy(update={"created_at": now})

    def set_up(
        self,
        agent: Agent,
        instructions: Told | None = None,
        *,
        added: Sequence[str] = (),
        removed: Sequence[str] = (),
    ) -> None:
        """Note what an agent was told and may call from now on: judges read it in the history."""
        if instructions or added or removed:
            item = llm.AgentConfigUpdate(
                instructions=None if instructions is None else rendered(instructions),
                tools_added=list(added) or None,
                tools_removed=list(removed) or None,
                created_at=self.wall(),
            )
            self.write(item, agent)

    def forget(self, agent: Agent) -> None:
        """It is over: what it was told in confidence stays nowhere."""
        if agent._confidential:
            agent._chat_ctx.items[:] = [_veiled(item) for item in agent._chat_ctx.items]

    def context(self, agent: Agent, modality: Modality = "audio") -> llm.ChatContext:
        """What that agent's model is to know now: the instructions and the agent's history.

        `modality` says how the user speaks in this turn: instructions may differ by it.
        """
        items = agent._chat_ctx.items
        while items and items[0].id in SYSTEM:  # of somebody else's context
            items = items[1:]
        return llm.ChatContext([*_system(agent.instructions, modality), *items])

    def instructions(self, agent: Agent) -> str:
        """What that agent is told, as one text, for a model that is spoken to."""
        return "\n".join(m.text_content or "" for m in _system(agent.instructions, "audio"))

    def refreshed(self, given: llm.ChatContext, told: Told, agent: Agent) -> llm.ChatContext:
        """The context a model was given, with what has been added to the history since.

        What a hook, a node, or instructions for this reply alone had changed in it stays; `told`
        are the agent's own instructions then, which may be others now.
        """
        found = given.copy().merge(agent._chat_ctx, exclude_instructions=True)
        before, now = rendered(told), rendered(agent.instructions)
        for at, item in enumerate(found.items):
            if item.id == INSTRUCTIONS and isinstance(item, llm.ChatMessage):
                text = (item.text_content or "").replace(before, now, 1)
                found.items[at] = item.model_copy(update={"content": [text]})
        return found

    def asking(
        self,
        agent: Agent,
        instructions: NotGivenOr[Told] = NOT_GIVEN,
        chat_ctx: NotGivenOr[llm.ChatContext] = NOT_GIVEN,
        modality: Modality = "text",
    ) -> Callable[[], llm.ChatContext]:
        """The context of a reply with instructions of its own, taken when the model is called."""

        def context() -> llm.ChatContext:
            found = chat_ctx.copy() if isinstance(chat_ctx, llm.ChatContext) else None
            found = found or self.context(agent, modality)
            if instructions:
                own = rendered(instructions, modality)
                found.add_message(role="system", content=own, created_at=self.wall())
            return found

        return context


def place(item: llm.ChatItem, context: llm.ChatContext, after: Collection[str] | None) -> None:
    """Insert by time; among what is of the same instant, behind all, or behind those ids only."""
    context.insert(item)
    if after is None:
        return
    items = context.items
    at = next(at for at in reversed(range(len(items))) if items[at] is item)
    while at and items[at - 1].created_at == item.created_at and items[at - 1].id not in after:
        items[at - 1 : at + 1] = item, items[at - 1]
        at -= 1


def _veiled(item: llm.ChatItem) -> llm.ChatItem:
    """What the user said, without its numbers."""
    if isinstance(item, llm.ChatMessage) and item.role == "user":
        return item.model_copy(update={"content": [veiled(item.text_content or "")]})
    return item


def rendered(told: Told, modality: Modality = "audio") -> str:
    """Instructions as one text, by how the user speaks."""
    return told.render_static(modality=modality) if isinstance(told, Instructions) else str(told)


def _system(told: Told, modality: Modality) -> list[llm.ChatMessage]:
    """The instructions as messages; what changes from call to call is one of its own, so that a
    provider can keep the first in its cache."""
    parts = {INSTRUCTIONS: rendered(told, modality)}
    if isinstance(told, Instructions) and told.dynamic:
        parts[DYNAMIC] = told.dynamic
    return [
        llm.ChatMessage(role="system", content=[text], id=name, created_at=0.0)
        for name, text in parts.items()
    ]
