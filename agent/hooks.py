"""Running an agent's hooks: `on_enter`, `on_exit`, `on_user_turn_completed`.

Hooks are the application's code. Each runs in a task of its own and its error is a value, so that
whoever waits for it decides what comes of that.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from inspect import isawaitable, unwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from antiphon.context import CALL, INSIDE, GivenUp, Inside
from antiphon.idle import TURNING
from antiphon.pipeline.errors import UsageError, telling
from antiphon.pipeline.reply import SPEAKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from livekit.agents import UserTurnExceededEvent, llm

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation


async def outcome(hook: Awaitable[None]) -> Exception | None:
    """Run a hook; its error is a result, for whoever waits for it."""
    task = asyncio.current_task()
    assert task is not None
    entry = task.cancelling()
    try:
        await hook
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        if task.cancelling() > entry:
            raise
        return telling(error, "the hook")
    return None


async def called(function: Callable[..., Awaitable[Any]], *arguments: object) -> Any:
    """Call what must be `async def`, and wait for it; UsageError names it when it is not."""
    result: object = function(*arguments)
    if isawaitable(result):
        return await result
    name = getattr(function, "__qualname__", repr(function))
    code = getattr(unwrap(function), "__code__", None)
    place = f" ({Path(code.co_filename).name}:{code.co_firstlineno})" if code else ""
    raise UsageError(f"{name} must be `async def`{place}")


async def completed(
    conversation: Conversation, agent: Agent, context: llm.ChatContext, message: llm.ChatMessage
) -> Exception | None:
    """Run `on_user_turn_completed`; called here, since a close may come before the task begins."""
    INSIDE.set(Inside(conversation, agent, seat=False))
    TURNING.set(True)
    return await outcome(called(agent.on_user_turn_completed, context, message))


@contextmanager
def inside(where: Inside) -> Iterator[None]:
    """Code of an agent's, and of no tool: the task that runs it may be a tool's, and goes on."""
    place, call = INSIDE.set(where), CALL.set(None)
    try:
        yield
    finally:
        INSIDE.reset(place)
        CALL.reset(call)


@contextmanager
def outside() -> Iterator[None]:
    """Work of the session's, and of no code of an agent's: whatever it is that has set it off."""
    place, call, speech = INSIDE.set(None), CALL.set(None), SPEAKING.set(None)
    try:
        yield
    finally:
        INSIDE.reset(place)
        CALL.reset(call)
        SPEAKING.reset(speech)


async def enter(conversation: Conversation, agent: Agent) -> None:
    """Run `on_enter`, in the calling task; an agent that cannot begin has failed."""
    TURNING.set(False)
    with inside(Inside(conversation, agent, entering=True)):
        error = await outcome(called(agent.on_enter))
    if error is not None and not agent._entering_failed(error):
        _report(conversation, "on_enter", error)


async def leave(conversation: Conversation, agent: Agent) -> None:
    """Run `on_exit`, in the calling task."""
    TURNING.set(True)
    with inside(Inside(conversation, agent)):
        error = await outcome(called(agent.on_exit))
    if error is not None:
        _report(conversation, "on_exit", error)


async def exceeded(conversation: Conversation, event: UserTurnExceededEvent) -> None:
    """Run `on_user_turn_exceeded`, in the calling task."""
    agent = conversation.agent
    with inside(Inside(conversation, agent, written=event.transcript)):
        error = await outcome(called(agent.on_user_turn_exceeded, event))
    if error is not None:
        _report(conversation, "on_user_turn_exceeded", error)


def _report(conversation: Conversation, hook: str, error: Exception) -> None:
    """Tell of an error, unless it only says that the task this hook waited for was given up."""
    if not isinstance(error, GivenUp):
        conversation.faults.failed(hook, error)
        conversation.session.deliver()
