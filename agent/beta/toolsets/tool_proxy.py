"""LiveKit's `beta.toolsets.tool_proxy`, by this package's name."""

from livekit.agents.beta.toolsets.tool_proxy import ToolProxyToolset

__all__ = ["ToolProxyToolset"]
