"""Answers to the user: the prepared draft, and the turns in the order in which they ended.

A turn is written into history and answered at once when the agent does not override
`on_user_turn_completed`. Otherwise turns go through one queue, so that hooks never overlap; each
hook runs in a leaf task with a time limit, and the user's words are in history whether it ends,
fails, hangs, or is overtaken by the next turn (which then is the one that is answered).

A handoff stands in the same queue: turns behind it are the next agent's. An `AgentTask` sits down
with a queue of its own, so that it hears the user while whoever waits for it waits.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from livekit.agents import StopResponse, llm

from antiphon.hooks import completed, outside
from antiphon.pipeline.errors import NodeTimeout, UsageError
from antiphon.pipeline.streams import Scope, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.pipeline.observations import Commit
    from antiphon.pipeline.reply import Reply

logger = logging.getLogger("antiphon.answers")

HOOK_LIMIT: Final = 30.0  # seconds on_user_turn_completed may take


class Turn:
    """A committed turn on its way to its answer."""

    def __init__(self, number: int, message: llm.ChatMessage, commit: Commit) -> None:
        self.number = number
        self.message = message
        self.commit = commit
        self.written = False


class HandOver:
    """Another agent takes over, once those before it in the queue are done."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent


class Answers:
    """Who answers, and the queue.

    Mutable state: the agent, the draft with the message it answers, what waits in the queue, what
    is kept for the next agent, because this one does not answer, and the turn whose answer was
    left to a newer one.
    """

    def __init__(self, conversation: Conversation, scope: Scope, agent: Agent) -> None:
        self.agent = agent
        self._conversation = conversation
        self._draft: Reply | None = None
        self._drafted: llm.ChatMessage | None = None
        self._queue: Stream[Turn | HandOver] = Stream(10**6, name="turns")
        self._open: list[Turn | HandOver] = []
        self._kept: list[Turn] = []
        self._owed: Turn | None = None
        with outside():  # a task may sit down in a tool; what it does is not done there
            scope.start("turns", self._work(scope))

    @property
    def busy(self) -> bool:
        """A turn waits for its hook, or an agent for its seat."""
        return bool(self._open)

    @property
    def following(self) -> Agent:
        """Who answers once those in the queue are done."""
        entries = reversed(self._open)
        return next((e.agent for e in entries if isinstance(e, HandOver)), self.agent)

    @property
    def turning(self) -> bool:
        """A turn waits for its hook."""
        return any(isinstance(entry, Turn) for entry in self._open)

    def draft(self, text: str) -> None:
        """Prepare an answer to words that may not be the last."""
        self.drop()
        self._drafted = None
        if not self.agent._answers_user:
            return
        self._drafted = self._conversation.memory.user_turn(text)
        with outside():
            self._draft = self._conversation.speaking.prepare(self._drafted)

    def drop(self) -> None:
        """Throw the prepared answer away."""
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.cut()

    def commit(self, commit: Commit) -> None:
        """The user's turn is over; that of a machine is not answered, nor one while all ends."""
        amd = self._conversation.session.amd
        if self._conversation.seats.full or (amd is not None and amd.takes_turns):
            commit = replace(commit, answer=False)
        commit = self._conversation.realtime.ears.committed(commit)
        turn = Turn(self._conversation.next_turn(), self._message(commit), commit)
        self._conversation.realtime.ears.has_heard(turn.message, turn.number)
        if commit.answer and self.agent._answers_user:
            self._conversation.speaking.give_way()
        if not self.agent._answers_user:
            self._kept.append(turn)
        elif not self.agent._overrides("on_user_turn_completed") and not self._open:
            self._write(turn)
            self._answer(turn, None, self._conversation.speaking.made)
        else:
            self.line_up(turn)

    def hand_over(self, agent: Agent) -> None:
        """Another agent takes over when this one has said what it is saying."""
        self.line_up(HandOver(agent))

    def rise(self, below: Answers) -> None:
        """Its agent is done: what waits in the queue is for the one below."""
        self.drop()
        self._queue.end()
        waiting, self._open = self._open[1:], self._open[:1]  # the first is being done here
        for entry in waiting:
            below.line_up(entry)
        self.pass_on(below)

    def pass_on(self, following: Answers) -> None:
        """Another agent is in charge: it gets the turns that this one has not answered."""
        kept, self._kept = self._kept, []
        for turn in kept:
            if following.agent._answers_user:
                following.line_up(turn)
            else:
                following._kept.append(turn)

    def close(self) -> None:
        """Write what is not written yet; nothing is answered any more."""
        self.drop()
        for entry in [*self._open, *self._kept]:
            if isinstance(entry, Turn):
                self._write(entry)
        self._open.clear()
        self._kept.clear()
        self._queue.end()

    def _message(self, commit: Commit) -> llm.ChatMessage:
        """The user's words; the same message that the draft has seen, where that answers it."""
        memory = self._conversation.memory
        drafted, self._drafted = self._drafted, None
        if drafted is None or not commit.drafted:
            return memory.user_turn(commit.text)
        # The same words, perhaps with other marks.
        drafted.content = [commit.text, *drafted.content[1:]]
        drafted.created_at = memory.wall()
        return drafted

    def line_up(self, entry: Turn | HandOver) -> None:
        """Add to the queue."""
        if self._queue.ended:
            raise UsageError("the session has closed, or the agent has been replaced")
        self._open.append(entry)
        self._queue.put_nowait(entry)

    async def _work(self, scope: Scope) -> None:
        async for entry in self._queue:
            if entry not in self._open:
                continue  # it has moved to the queue below
            if isinstance(entry, Turn):
                await self._take(scope, entry)
            else:
                await self._change_hands(entry)
            if entry in self._open:
                self._open.remove(entry)
            self._conversation.stir()

    async def _take(self, scope: Scope, turn: Turn) -> None:
        context = self._conversation.memory.context(self.agent)
        before, made = list(context.items), self._conversation.speaking.made
        said = list(turn.message.content)
        wanted = await self._hooked(scope, turn, context)
        self._write(turn)
        if self._newest() is not turn:
            self.drop()
            self._owed = turn if wanted else self._owed
            return
        owed, self._owed = self._owed, None
        if not wanted:
            self.drop()
            if owed is not None:
                self._answer(owed, self._asked_last(owed.message), made)
        elif context.items == before and turn.message.content == said:
            self._answer(turn, self._asked_last(turn.message), made)
        else:
            context.items.append(turn.message)
            self._answer(turn, partial(_same, context), made)

    def _asked_last(self, message: llm.ChatMessage) -> Callable[[], llm.ChatContext] | None:
        """The context, where something was said after these words while their hook ran: the model
        is asked what the user said, and not what the hook did."""
        memory = self._conversation.memory

        def context() -> llm.ChatContext:
            found = memory.context(self.agent)
            found.items[:] = [item for item in found.items if item.id != message.id]
            found.items.append(message)
            return found

        return None if memory.context(self.agent).items[-1].id == message.id else context

    def _newest(self) -> Turn | None:
        return next((e for e in reversed(self._open) if isinstance(e, Turn)), None)

    async def _change_hands(self, handing: HandOver) -> None:
        """The agent leaves, says what it has still to say, and the next one sits down."""
        conversation, old, agent = self._conversation, self.agent, handing.agent
        self.drop()
        await conversation.seats.leave(old)
        await conversation.speaking.finished(old)
        if conversation.answers is self:
            await conversation.tools.leave(old)
            await conversation.speaking.finished(old)
            await conversation.toolsets.open(agent)
        if handing not in self._open:  # a later one was quicker, or the session has closed
            conversation.toolsets.forgo(agent)
            return
        if conversation.answers is not self:  # its task is done meanwhile, or one has begun
            conversation.answers.hand_over(agent)
            return
        self.drop()
        self.agent, self._owed = agent, None
        conversation.seats.alone(self, old)
        conversation.seats.seated(old, agent)
        self.pass_on(self)
        await asyncio.sleep(0)  # what on_enter says first is in line before anything else

    async def _hooked(self, scope: Scope, turn: Turn, context: llm.ChatContext) -> bool:
        """Run the hook; False when it wants no answer, fails, or takes too long."""
        conversation = self._conversation
        conversation.hook_started(turn.number)
        task = scope.start("hook", completed(conversation, self.agent, context, turn.message))
        await asyncio.wait([task], timeout=HOOK_LIMIT)
        conversation.hook_ended(turn.number)
        if not task.done():
            task.cancel()
            late = NodeTimeout.after("on_user_turn_completed", HOOK_LIMIT)
            conversation.faults.failed("hook", late)
            return False
        if task.cancelled() or isinstance(task.result(), StopResponse):
            return False
        if error := task.result():
            conversation.faults.failed("hook", error)
        return error is None

    def _write(self, turn: Turn) -> None:
        if not turn.written and (turn.commit.text or turn.message.text_content):
            turn.written = True
            turn.message.metrics.update(self._conversation.delays.of_turn(turn.number))
            self._conversation.write(turn.message, self.agent, turn.number)

    def _answer(
        self, turn: Turn, context: Callable[[], llm.ChatContext] | None, before: int
    ) -> None:
        """Say the answer; `before` the turn's hook there were so many replies."""
        draft, self._draft = self._draft, None
        fresh = draft is not None and turn.commit.drafted and context is None
        fresh = fresh and self._conversation.speaking.fresh(draft)
        if draft is not None and not (fresh and turn.commit.answer and not draft.step.failing):
            draft.cut()
            draft = None
        if not turn.commit.answer:
            return
        self._conversation.states.hold()  # between two answers nobody sees the agent listen
        self._conversation.speaking.supersede()
        if draft is not None and not draft.done:
            self._conversation.speaking.let_out(draft, turn.number)
        else:
            with outside():
                self._conversation.speaking.answer(turn.number, context, before)


def _same(context: llm.ChatContext) -> llm.ChatContext:
    return context
