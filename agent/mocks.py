"""`mock_tools`: functions of a test's in the place of an agent's tools.

The model sees the tools as they are, and what it calls them with is checked; only what runs is the
test's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, overload
from weakref import WeakKeyDictionary

from antiphon.agent import Agent
from antiphon.pipeline.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Generator

    from antiphon.running import Running
    from antiphon.session import AgentSession

Mock = Callable[..., Any]
Mocks = Mapping[type[Agent], Mapping[str, Mock]]

_HERE: ContextVar[Mocks | None] = ContextVar("antiphon.mocks", default=None)
_OF_SESSION: WeakKeyDictionary[AgentSession[Any], Mocks] = WeakKeyDictionary()


@overload
def mock_tools(agent: type[Agent], mocks: Mapping[str, Mock]) -> AbstractContextManager[None]: ...


@overload
def mock_tools(
    agent: type[Agent], mocks: Mapping[str, Mock], *, session: AgentSession[Any]
) -> None: ...


def mock_tools(
    agent: type[Agent], mocks: Mapping[str, Mock], *, session: AgentSession[Any] | None = None
) -> AbstractContextManager[None] | None:
    """Run these functions instead of the tools of that name of that class of agents.

        with mock_tools(Waiter, {"price": lambda: 12}):
            result = await session.run(user_input="What is the soup?")

    With `session`, they hold in that session from now on, until they are replaced; those of a
    `with` come first. A mock may be async, may raise, and takes as many of the tool's parameters as
    it likes.
    """
    if not (isinstance(agent, type) and issubclass(agent, Agent)):
        raise ArgumentError(
            f"mock_tools({agent!r}, …): write the class of the agent, as in MyAgent"
        )
    for name, mock in mocks.items():
        if not callable(mock):
            raise ArgumentError(f"mock_tools: {name!r} is {mock!r}; write a function")
    if session is None:
        return _mocked(agent, dict(mocks))
    _OF_SESSION[session] = {**_OF_SESSION.get(session, {}), agent: dict(mocks)}
    return None


@contextmanager
def _mocked(agent: type[Agent], mocks: Mapping[str, Mock]) -> Generator[None, None, None]:
    token = _HERE.set({**mocked_here(), agent: mocks})
    try:
        yield
    finally:
        _HERE.reset(token)


def mocked_here() -> Mocks:
    """The mocks of the `with` around this code."""
    return _HERE.get() or {}


async def called(running: Running, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    """Call a tool, or what a test has put in its place."""
    tool, name = running.tool, running.call.name
    every = (
        mocked_here(),
        running.conversation.speaking.runs.mocks,
        _OF_SESSION.get(running.session, {}),
    )
    kinds = type(running.agent).__mro__
    found = [mocks[kind][name] for mocks in every for kind in kinds if name in mocks.get(kind, {})]
    if not found:
        return await tool(*args, **kwargs)
    given = inspect.signature(tool).bind(*args, **kwargs).arguments
    args, kwargs = fitting(found[0], given)
    result = found[0](*args, **kwargs)
    return await result if inspect.isawaitable(result) else result


def fitting(mock: Mock, given: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What of a tool's arguments a mock takes: by name, or by place where it has other names."""
    parameters = inspect.signature(mock).parameters.values()
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    if all(place.name in given or place.default is not place.empty for place in places):
        taken = [given.get(place.name, place.default) for place in places]
    else:
        taken = list(given.values())[: len(places)]
    return tuple(taken), {name: given[name] for name in named if name in given}
