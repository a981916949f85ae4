"""Tools of an MCP server as a toolset; the servers are LiveKit's classes. Needs `antiphon[mcp]`."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, cast

from livekit.agents import llm
from mcp import MCPError

from antiphon.toolsets import AsyncToolset

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from livekit.agents.llm.mcp import MCPServer, MCPTool, MCPToolOptions

logger = logging.getLogger("antiphon.tools")


class MCPToolset(AsyncToolset):
    """The tools that an MCP server offers; connected when its agent takes its seat.

    `tool_options` has, by the tool's name, what `function_tool` takes (flags, on_duplicate,
    duplicate_scope), and `report_progress`: each progress message is then an update of the call.
    """

    def __init__(
        self,
        *,
        id: str,
        mcp_server: MCPServer,
        tool_options: dict[str, MCPToolOptions] | None = None,
    ) -> None:
        super().__init__(id=id)
        self._server = mcp_server
        self._options = dict(tool_options or {})
        self._ready = False

    async def setup(self, *, reload: bool = False) -> Self:
        """Connect and ask for the tools; with `reload`, ask again."""
        if self._ready and not reload:
            return self
        if not self._server.initialized:
            await self._server.initialize()
        elif reload:
            self._server.invalidate_cache()
        tools = await self._server.list_tools(tool_options=self._options)
        self._tools = [_clear(tool) for tool in tools]
        self._ready = True
        return self

    def filter_tools(self, filter_fn: Callable[[MCPTool[Any, Any]], bool]) -> Self:
        """Keep only the tools for which `filter_fn` is true."""
        self._tools = [tool for tool in self._tools if filter_fn(cast("MCPTool[Any, Any]", tool))]
        return self

    async def aclose(self) -> None:
        """Disconnect."""
        self._ready, self._tools = False, []
        await self._server.aclose()


def _clear(tool: MCPTool[Any, Any]) -> llm.Tool:
    """The same tool; what goes wrong with the server is an answer that a model can use."""
    name = tool.info.name

    @functools.wraps(tool)
    async def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return await tool(*args, **kwargs)
        except MCPError as error:
            logger.warning("the tool server failed at %s: %s", name, error)
            raise llm.ToolError(f"The server of the tool {name} failed: {error}") from error

    info = tool.info
    return llm.function_tool(
        called,
        raw_schema=info.raw_schema,
        flags=info.flags,
        on_duplicate=info.on_duplicate,
        duplicate_scope=info.duplicate_scope,
    )
