"""A real MCP server with some tools, run as a process: over stdio, SSE or HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("tools", log_level="CRITICAL")


@server.tool()
def add(a: int, b: int) -> str:
    """Adds two numbers."""
    return f"{a + b}"


@server.tool()
def refuses() -> str:
    """Fails."""
    raise ToolError("not today")


@server.tool()
async def climbs(context: Context) -> str:
    """Reports how far it is."""
    for step in (1, 2):
        await context.report_progress(step, 2, f"camp {step}")
    return "the top"


@server.tool()
async def hangs() -> str:
    """Never answers."""
    await asyncio.Event().wait()
    return ""


@server.tool()
def dies() -> str:
    """Takes the server with it."""
    os._exit(1)


def main(transport: str) -> None:
    """Serve; over HTTP the port is printed first, and it is listened at already."""
    if transport == "stdio":
        server.run("stdio")
        return
    whole = transport == "http"  # else its answers are streams of their own
    app = server.streamable_http_app(json_response=whole)
    if transport == "sse":
        app = server.sse_app()
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)  # noqa: T201  # for the test that started it
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1])
