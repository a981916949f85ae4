"""Which agent is in charge: handoffs replace it, and an `AgentTask` sits down over it for a while.

Every agent in charge has a queue of the user's turns (`Answers`). A handoff puts another agent at
the same queue; an `AgentTask` brings its own, on top, and takes it away when it is done.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from livekit.agents import llm

from antiphon import hooks
from antiphon.answers import Answers
from antiphon.events import ConversationItemAddedEvent
from antiphon.pipeline.errors import NodeTimeout
from antiphon.speaking import is_of
from antiphon.task import AgentTask
from antiphon.veil import veiled

if TYPE_CHECKING:
    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.seats")

EXIT_LIMIT: Final = 30.0  # seconds on_exit may take at a handoff


class Seats:
    """Mutable state: the queues, the lowest first; who wants to sit over whom; who is leaving, and
    who is entering."""

    def __init__(self, conversation: Conversation, scope: Scope, agent: Agent) -> None:
        self._conversation = conversation
        self._scope = scope
        self._stack = [Answers(conversation, scope, agent)]
        self._turns: dict[Agent, asyncio.Lock] = {}
        self.full = False  # the session closes: nobody sits down any more
        self._leaving: dict[Agent, asyncio.Task[None]] = {}
        self._entering: dict[asyncio.Task[None], Agent] = {}

    @property
    def answers(self) -> Answers:
        """The queue of the agent in charge."""
        return self._stack[-1]

    def turn(self, agent: Agent) -> asyncio.Lock:
        """Held by the one task that sits over `agent`; others who want to wait for it."""
        return self._turns.setdefault(agent, asyncio.Lock())

    async def silence(self, agent: Agent) -> None:
        """Wait until what stands in line of that agent's has been said; its tools may go on."""
        talk = self._conversation
        while any(is_of(reply, agent) for reply, _ in talk.speaking.in_line()):
            await talk.moved()

    def sit(self, task: Agent) -> None:
        """`task` is in charge from now on, over the agent that was."""
        below = self.answers
        below.drop()
        self._stack.append(Answers(self._conversation, self._scope, task))
        self.seated(below.agent, task)
        below.pass_on(self.answers)

    def rise(self, task: Agent) -> bool:
        """`task` is done; the agent below is in charge again. False when `task` was not.

        Tasks that sit over it, somewhere inside it, are given up.
        """
        place = next((n for n, a in enumerate(self._stack) if a.agent is task), 0)
        if not place:
            logger.warning("%s is done, but another agent has taken over meanwhile", task.id)
            return False
        ending, self._stack = self._stack[place:], self._stack[:place]
        for above in reversed(ending):
            if above.agent is not task:
                _give_up(above.agent, "the task it was awaited in is over")
                self._conversation.speaking.quieten(above.agent)
                above.agent._leave_session()
            above.rise(self.answers)
        self.seated(ending[-1].agent, self.answers.agent, again=True)
        return True

    def abandon(self, task: Agent) -> None:
        """Nobody waits for `task` any more: it is cut, and what it would have done last is done."""
        self._conversation.speaking.quieten(task)
        if not self.sits(task) or not self.rise(task):
            return
        if task._overrides("on_exit") and not self._scope.closing:
            self._scope.start("on_exit", self._exit(task))

    async def _exit(self, task: Agent) -> None:
        task._join_session(self._conversation.session)
        await self.leave(task)
        task._leave_session()

    def seated(self, old: Agent | None, new: Agent, *, again: bool = False) -> None:
        """`new` is in charge: the session hears with its ears, and it says what it wants to."""
        talk = self._conversation
        if self._scope.closing:
            return
        if old is not new and old is not None and not self.sits(old):
            old._leave_session()
        if not again:
            self._leaving.pop(new, None)
            new._join_session(talk.session)
        item = llm.AgentHandoff(
            old_agent_id=old.id if old else None,
            new_agent_id=new.id,
            created_at=talk.memory.wall(),
        )
        talk.session.history.insert(item)
        talk.memory.set_up(new, new.instructions, added=talk.toolsets.names(new))
        talk.timeline.veil = veiled if new._confidential else str
        talk.mark("handoff", None, to=new.id)
        talk.tell("conversation_item_added", ConversationItemAddedEvent, item=item)
        talk.speaking.runs.handed_over(item, old, new)
        if old is not None:
            with hooks.outside():
                talk.follow(new)
        if not again and new._overrides("on_enter"):
            with hooks.outside():
                entering = self._scope.start("on_enter", hooks.enter(talk, new))
            self._entering[entering] = new
            entering.add_done_callback(self._entered)
        talk.toolsets.let_go()
        if again or (old is not None and self.below(old)):
            talk.states.hold()  # a task may speak at once, and the tool that waited for it end
        talk.stage.resting()
        talk.session.deliver()

    def _entered(self, task: asyncio.Task[None]) -> None:
        del self._entering[task]
        self._conversation.stir()

    async def leave(self, agent: Agent, limit: float = EXIT_LIMIT) -> None:
        """Run its `on_exit`, once, for `limit` seconds; a task that it awaits may take longer."""
        if not agent._overrides("on_exit") or self._scope.closing:
            return
        if agent not in self._leaving:
            self._leaving[agent] = self._scope.start(
                "on_exit", hooks.leave(self._conversation, agent)
            )
        leaving = self._leaving[agent]
        while not leaving.done():
            done, _ = await asyncio.wait([leaving], timeout=limit)
            if not done and self.answers.agent is agent:
                leaving.cancel()
                late = NodeTimeout.after("on_exit", limit)
                self._conversation.faults.failed("on_exit", late)
                return

    def alone(self, answers: Answers, old: Agent) -> None:
        """Another agent has taken over in this queue: no task is waited for, and nobody is below.

        `old` is the agent that was at it.
        """
        others = [a for a in self._stack if a is not answers]
        self._stack = [answers]
        for agent in (old, *(a.agent for a in reversed(others))):
            _give_up(agent, "another agent has taken over")
        for below in others:
            below.close()
            self._conversation.tools.cancel_of(below.agent)
            below.agent._leave_session()

    def release(self) -> None:
        """The session closes: whoever waits for a task waits no longer."""
        self.full = True
        for answers in reversed(self._stack):
            _give_up(answers.agent, "the session closed")

    def close(self) -> None:
        """Write what is not written yet; nothing is answered any more."""
        for answers in reversed(self._stack):
            answers.close()

    def over(self, agent: Agent | None, other: Agent | None) -> bool:
        """`agent` sits over `other`, which may be waiting for it."""
        agents: list[Agent | None] = [*self.agents]
        if agent not in agents or other not in agents:
            return False
        return agents.index(agent) > agents.index(other)

    @property
    def rising(self) -> bool:
        """A task is done, and about to give back what it has taken over."""
        tasks = (answers.agent for answers in self._stack[1:])
        return any(isinstance(task, AgentTask) and task.done() for task in tasks)

    def entering(self) -> list[asyncio.Task[None]]:
        """The `on_enter`s that run, and do not wait for a task."""
        return [task for task, agent in self._entering.items() if not self.below(agent)]

    def below(self, agent: Agent) -> bool:
        """A task is in charge, and that agent is not it."""
        return len(self._stack) > 1 and self.answers.agent is not agent

    @property
    def agents(self) -> list[Agent]:
        """Those that have a seat, the lowest first."""
        return [answers.agent for answers in self._stack]

    def stays(self, agent: Agent) -> bool:
        """It has a seat, and nobody is about to take it."""
        return any(a.agent is agent and a.following is agent for a in self._stack)

    def sits(self, agent: Agent) -> bool:
        """It is in charge, or a task sits over it."""
        return any(answers.agent is agent for answers in self._stack)


def _give_up(agent: Agent, why: str) -> None:
    if isinstance(agent, AgentTask):
        agent._give_up(why)
