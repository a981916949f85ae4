"""Toolsets: opened when their agent takes its seat, closed when nobody has them any more.

Those of the session are open as long as it runs. One that cannot be set up is reported once, and
its tools are not offered. `setup` and `aclose` are the application's code, in leaf tasks with a
time limit.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from livekit.agents import NOT_GIVEN, NotGivenOr, llm

from antiphon import cancelling
from antiphon.arguments import given, said
from antiphon.hooks import outcome
from antiphon.pipeline.errors import NodeError, NodeTimeout

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from livekit.agents.llm.mcp import MCPServer
    from livekit.agents.voice.tool_executor import ToolHandlingOptions

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.tools")

SETUP_LIMIT: Final = 10.0  # seconds that the toolsets of an agent may take before it begins
CLOSE_LIMIT: Final = 5.0  # seconds that they may hold up the end of a session


class AsyncToolset(llm.Toolset):
    """Among the session's tools: those in it survive a handoff, and what they report reaches
    whoever is in charge. Among an agent's: tools with a `tool_handling` of their own."""

    def __init__(
        self,
        *,
        id: str,
        tools: Sequence[llm.Tool | llm.Toolset] | None = None,
        tool_handling: NotGivenOr[ToolHandlingOptions | None] = NOT_GIVEN,
    ) -> None:
        super().__init__(id=id, tools=tools)
        self.tool_handling = tool_handling


class Toolsets:
    """Mutable state: those that are open, those of them that failed, the tasks that close some, the
    toolsets made for MCP servers, and who is about to sit down."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._scope = scope
        self._open: list[llm.Toolset] = []
        self._failed: list[llm.Toolset] = []
        self._closing: set[asyncio.Task[Exception | None]] = set()
        self._of_servers: list[tuple[MCPServer, llm.Toolset]] = []
        self._coming: list[Agent] = []  # those whose tools are open, and who have no seat yet

    def offered(self, agent: Agent) -> list[llm.Tool | llm.Toolset]:
        """All that an agent may call now: the session's tools and its own."""
        tools = [*self.of_session(agent), *self.of_agent(agent)]
        return tools if not self._failed else list(self._able(tools))

    def names(self, agent: Agent) -> list[str]:
        """The functions that an agent's model is told of."""
        tools = self.offered(agent)
        return _functions([*tools, *(cancelling.TOOLS if cancelling.wanted(tools) else ())])

    def of_session(self, agent: Agent) -> list[llm.Tool | llm.Toolset]:
        """Those that `agent` shares with the others; its own MCP servers, also if it
        is to have none, take the place of the session's."""
        session = self._conversation.session
        servers = () if given(agent.mcp_servers) else session.mcp_servers or ()
        keys = () if session.menu is None else session.menu.keys(agent)
        return [*session.tools, *keys, *map(self._of_server, servers)]

    def of_agent(self, agent: Agent) -> list[llm.Tool | llm.Toolset]:
        return [*agent.tools, *map(self._of_server, said(agent.mcp_servers, None) or ())]

    async def open(self, agent: Agent) -> None:
        """Set up what `agent` is going to need and is not open yet."""
        wanted = [*self.of_session(agent), *self.of_agent(agent)]
        missing = [t for t in _parts(wanted) if not _among(t, self._open)]
        if not missing or self._scope.closing:
            return
        self._coming.append(agent)
        self._open += missing
        tasks = {self._scope.start(f"setup of {t.id}", outcome(_set_up(t))): t for t in missing}
        _, late = await asyncio.wait(tasks, timeout=SETUP_LIMIT)
        for task, toolset in tasks.items():
            if task in late:
                task.cancel()
                self._fail(toolset, NodeTimeout.after("setup", SETUP_LIMIT))
            elif not task.cancelled() and (error := task.result()) is not None:
                self._fail(toolset, error)
        self._conversation.session.deliver()

    async def replaced(self, agent: Agent, old: list[llm.Tool | llm.Toolset]) -> None:
        """The tools of an agent are others now than these."""
        before, after = _functions(old), _functions(agent.tools)
        added = [name for name in after if name not in before]
        removed = [name for name in before if name not in after]
        self._conversation.memory.set_up(agent, added=added, removed=removed)
        if self._conversation.seats.sits(agent):
            await self.open(agent)
            self.let_go()

    def forgo(self, agent: Agent) -> None:
        """`agent` takes no seat after all."""
        if agent in self._coming:
            self._coming.remove(agent)
            self.let_go()

    def let_go(self) -> None:
        """Close, in the background, what no agent with a seat has any more."""
        if not self._open:
            return
        wanted: list[llm.Tool | llm.Toolset] = [*self._conversation.session.tools]
        wanted += [made for server, made in self._of_servers if self._is_sessions(server)]
        seats = self._conversation.seats
        self._coming = [agent for agent in self._coming if not seats.sits(agent)]
        for agent in (*seats.agents, *self._coming):
            wanted += self.of_agent(agent)
        used = list(_parts(wanted))
        self._close([toolset for toolset in self._open if not _among(toolset, used)])

    async def close(self) -> None:
        """The session ends: close all that is open."""
        self._close(list(self._open))
        if self._closing:
            _, late = await asyncio.wait(self._closing, timeout=CLOSE_LIMIT)
            for task in late:
                logger.warning("%s takes too long; left behind", task.get_name())

    def _close(self, toolsets: list[llm.Toolset]) -> None:
        for toolset in toolsets:
            self._open.remove(toolset)
            if toolset in self._failed:
                self._failed.remove(toolset)
            task = self._scope.start(f"closing of {toolset.id}", outcome(toolset.aclose()))
            self._closing.add(task)
            task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[Exception | None]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.result()) is not None:
            logger.warning("%s: %s: %s", task.get_name(), type(error).__name__, error)

    def _fail(self, toolset: llm.Toolset, error: Exception) -> None:
        self._failed.append(toolset)
        why = NodeError(f"the toolset {toolset.id} could not be set up, and is left out: {error}")
        why.__cause__ = error
        self._conversation.faults.failed("toolset", why)

    def _able(self, tools: Iterable[llm.Tool | llm.Toolset]) -> Iterable[llm.Tool | llm.Toolset]:
        """Without those that failed; what holds one of them is taken apart."""
        for tool in tools:
            if not isinstance(tool, llm.Toolset):
                yield tool
            elif not _among(tool, self._failed):
                inside = list(self._able(tool.tools))
                whole = len(inside) == len(tool.tools) and all(map(_same, inside, tool.tools))
                yield from [tool] if whole else inside

    def _of_server(self, server: MCPServer) -> llm.Toolset:
        for known, made in self._of_servers:
            if known is server:
                return made
        from antiphon.mcp_toolset import MCPToolset  # needs a package of its own

        made = MCPToolset(id=f"mcp_{len(self._of_servers) + 1}", mcp_server=server)
        self._of_servers.append((server, made))
        return made

    def _is_sessions(self, server: MCPServer) -> bool:
        return any(server is own for own in self._conversation.session.mcp_servers or ())


async def _set_up(toolset: llm.Toolset) -> None:
    await toolset.setup()


def _parts(tools: Iterable[object]) -> Iterable[llm.Toolset]:
    """The toolsets among these. One that has no `setup` and `aclose` of its own stands for those
    in it, so that one of them may fail and the others not."""
    for toolset in tools:
        if isinstance(toolset, llm.Toolset):
            kind = type(toolset)
            if kind.setup is llm.Toolset.setup and kind.aclose is llm.Toolset.aclose:
                yield from _parts(toolset.tools)
            else:
                yield toolset


def _functions(tools: Iterable[llm.Tool | llm.Toolset]) -> list[str]:
    """The names of the functions among these, and in the toolsets."""
    found: list[str] = []
    for tool in tools:
        if isinstance(tool, llm.Toolset):
            found += _functions(tool.tools)
        elif isinstance(tool, llm.FunctionTool | llm.RawFunctionTool):
            found.append(tool.info.name)
    return found


def _among(toolset: llm.Toolset, others: Iterable[llm.Toolset]) -> bool:
    return any(toolset is other for other in others)


def _same(one: object, other: object) -> bool:
    return one is other
