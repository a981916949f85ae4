"""Answers to the user: the prepared draft, and the turns in the order in which they ended.

A turn is written into history and answered at once when the agent does not override
`on_user_turn_completed`. Otherwise turns go through one queue, so that hooks never overlap; each
hook runs in a leaf task with a time limit, and the user's words are in history whether it ends,
fails, hangs, or is overtaken by the next turn (which then is the one that is answered).
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from livekit.agents import NOT_GIVEN, StopResponse, llm

from antiphon.pipeline.errors import NodeTimeout
from antiphon.pipeline.observations import Kind
from antiphon.pipeline.streams import Scope, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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


class Answers:
    """Mutable state: the draft with the message it answers, and the turns not yet written."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._draft: Reply | None = None
        self._turns: Stream[Turn] = Stream(10**6, name="turns")
        self._open: list[Turn] = []
        self._settled = asyncio.Event()
        self._settled.set()
        scope.start("turns", self._work(scope))

    @property
    def busy(self) -> bool:
        """A turn waits for its hook."""
        return bool(self._open)

    async def settled(self) -> None:
        """Wait until every turn has had its hook, and its answer stands in line."""
        await self._settled.wait()

    def draft(self, text: str) -> None:
        """Prepare an answer to words that may not be the last."""
        self.drop()
        message = self._conversation.memory.user_message(text)
        self._draft = self._conversation.speaking.prepare(message)

    def drop(self) -> None:
        """Throw the prepared answer away."""
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.cut()

    def commit(self, commit: Commit) -> None:
        """The user's turn is over."""
        conversation = self._conversation
        number = conversation.next_turn()
        turn = Turn(number, conversation.memory.user_message(commit.text), commit)
        if not conversation.agent.overrides("on_user_turn_completed") and not self._open:
            self._write(turn)
            self._answer(turn, None)
            return
        self._open.append(turn)
        self._settled.clear()
        self._turns.put_nowait(turn)

    def close(self) -> None:
        """Write what is not written yet; nothing is answered any more."""
        self.drop()
        for turn in self._open:
            self._write(turn)
        self._open.clear()

    async def _work(self, scope: Scope) -> None:
        async for turn in self._turns:
            context = self._conversation.memory.context()
            before = list(context.items)
            wanted = await self._hooked(scope, turn, context)
            self._write(turn)
            self._open.remove(turn)
            if self._open or not wanted:
                self.drop()
            elif context.items == before and turn.message.text_content == turn.commit.text:
                self._answer(turn, None)
            else:
                context.items.append(turn.message)
                self._answer(turn, partial(_same, context))
            if not self._open:
                self._settled.set()

    async def _hooked(self, scope: Scope, turn: Turn, context: llm.ChatContext) -> bool:
        """Run the hook; False when it wants no answer, fails, or takes too long."""
        conversation = self._conversation
        conversation.mark("hook_started", None, hook_of=turn.number)
        hook = conversation.agent.on_user_turn_completed(context, turn.message)
        task = scope.start("hook", _outcome(hook))
        await asyncio.wait([task], timeout=HOOK_LIMIT)
        conversation.hook_ended(turn.number)
        if not task.done():
            task.cancel()
            conversation.failed("hook", NodeTimeout.after("on_user_turn_completed", HOOK_LIMIT))
            return False
        if task.cancelled() or isinstance(task.result(), StopResponse):
            return False
        if error := task.result():
            conversation.failed("hook", error)
        return error is None

    def _write(self, turn: Turn) -> None:
        if not turn.written:
            turn.written = True
            self._conversation.write(turn.message)

    def _answer(self, turn: Turn, context: Callable[[], llm.ChatContext] | None) -> None:
        draft, self._draft = self._draft, None
        fresh = draft is not None and turn.commit.drafted and context is None
        if draft is not None and not (fresh and turn.commit.answer and not draft.failing):
            draft.cut()
            draft = None
        if not turn.commit.answer:
            return
        if draft is not None and not draft.done:
            draft.turn = turn.number
            draft.confirm(self._conversation.speaking.kind(Kind.ANSWER, NOT_GIVEN))
        else:
            self._conversation.speaking.answer(turn.number, context)


async def _outcome(hook: Awaitable[None]) -> Exception | None:
    """Run a hook; its error is a result, for whoever waits for it."""
    try:
        await hook
    except Exception as error:
        return error
    return None


def _same(context: llm.ChatContext) -> llm.ChatContext:
    return context
