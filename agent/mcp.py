"""MCP, by the name programs import. Needs the package's extra `mcp`."""

from antiphon.llm.mcp import (
    MCPServer,
    MCPServerHTTP,
    MCPServerStdio,
    MCPTool,
    MCPToolOptions,
    MCPToolResultContext,
    MCPToolResultResolver,
    MCPToolset,
)

__all__ = [
    "MCPServer",
    "MCPServerHTTP",
    "MCPServerStdio",
    "MCPTool",
    "MCPToolOptions",
    "MCPToolResultContext",
    "MCPToolResultResolver",
    "MCPToolset",
]
