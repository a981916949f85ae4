"""`AgentTask`: an agent that takes over for one matter, and gives back what came of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from antiphon.agent import Agent
from antiphon.context import CALL, INSIDE, GivenUp
from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Generator

    from typing_extensions import Unpack

    from antiphon.conversation import Conversation
    from antiphon.deprecated import AgentArguments

T = TypeVar("T")


class AgentTask(Agent, Generic[T]):
    """Awaited in a tool, in `on_enter` or in `on_exit`, it holds the conversation until
    `complete`; the result is what was given there, or the exception is raised.

    What was said meanwhile then belongs to the agent that waited, without the task's instructions
    (and without its tool calls, unless `preserve_function_call_history`).
    """

    def __init__(
        self, *, preserve_function_call_history: bool = False, **agent: Unpack[AgentArguments]
    ) -> None:
        super().__init__(**agent)
        self.__preserve_calls = preserve_function_call_history
        self.__awaited = False
        self._came_of_it: list[T | Exception] = []
        self.__done: asyncio.Event = asyncio.Event()

    def done(self) -> bool:
        return bool(self._came_of_it)

    def complete(self, result: T | Exception) -> None:
        """End the task with a result, or with an exception that is raised where it is awaited."""
        if self._came_of_it:
            raise RuntimeError(f"{type(self).__name__} is already done")
        self._came_of_it.append(result)
        self.__done.set()
        if (call := CALL.get()) is not None:
            call.speech_handle.result = result

    def cancel(self) -> None:
        """End the task without a result: what it says is cut, and ToolError is raised."""
        if self._running_in is not None:
            self._running_in.conversation.speaking.quieten(self)
        self._give_up("it was told to")

    def _give_up(self, why: str) -> None:
        """End it without a result, unless it has one."""
        if not self._came_of_it:
            self.complete(GivenUp(f"AgentTask {self.id} is cancelled: {why}"))

    @property
    def _answers_user(self) -> bool:
        """Not when it is done: what the user says then is for the agent that waited."""
        return not self._came_of_it

    def _entering_failed(self, error: Exception) -> bool:
        """`on_enter` raised: so does the task, where it is awaited."""
        waited_for = not self._came_of_it
        if waited_for:
            self.complete(error)
        return waited_for

    def __await__(self) -> Generator[Any, None, T]:
        return self._in_its_seat().__await__()

    async def _in_its_seat(self) -> T:
        inside, name = INSIDE.get(), type(self).__name__
        if self.__awaited:
            raise RuntimeError(f"{name} can be awaited only once; make a new one")
        if inside is None or not inside.seat:
            raise UsageError(f"await {name} in a tool, or in on_enter or on_exit of an agent")
        self.__awaited = True
        talk, below = inside.conversation, inside.agent
        async with talk.seats.turn(below):
            await talk.seats.silence(below)
            if not talk.seats.sits(below):
                self._give_up("another agent has taken over")
            elif talk.seats.full:
                self._give_up("the session closed")
            if not self._came_of_it:
                await self.__sit(talk, below)
        result = self._came_of_it[0]
        if isinstance(result, Exception):
            raise result
        return result

    async def __sit(self, talk: Conversation, below: Agent) -> None:
        await talk.toolsets.open(self)
        if talk.idle.closed:
            self._give_up("the session closed")
            return
        talk.seats.sit(self)
        try:
            await self.__done.wait()
            while talk.seats.answers.agent is self and talk.seats.answers.busy:
                await talk.moved()  # the turn that ended it is written first
            if talk.seats.sits(self):
                await talk.seats.leave(self)
            await talk.speaking.finished(self)
            await talk.tools.leave(self)
            await talk.speaking.finished(self)
        except asyncio.CancelledError:
            self._give_up("nobody waits for it")
            talk.seats.abandon(self)
            raise
        talk.memory.forget(self)
        if talk.seats.rise(self):
            below._chat_ctx.merge(
                self._chat_ctx,
                exclude_function_call=not self.__preserve_calls,
                exclude_instructions=True,
            )
