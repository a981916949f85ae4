"""MCP, by the name programs import. Needs the package's extra `mcp`."""

from antiphon.llm.mcp import *  # noqa: F403
from antiphon.llm.mcp import __all__ as __all__
