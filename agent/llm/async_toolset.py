"""The toolset whose tools survive a handoff: ours, under LiveKit's name."""

from antiphon.context import RunContext as AsyncRunContext  # the name it had for its tools
from antiphon.toolsets import AsyncToolset

__all__ = ["AsyncRunContext", "AsyncToolset"]
