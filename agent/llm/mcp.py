"""LiveKit's MCP servers, and our toolset of their tools."""

from livekit.agents.llm.mcp import (
    MCPServer,
    MCPServerHTTP,
    MCPServerStdio,
    MCPTool,
    MCPToolOptions,
    MCPToolResultContext,
    MCPToolResultResolver,
)

from antiphon.mcp_toolset import MCPToolset

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
