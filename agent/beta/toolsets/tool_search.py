"""LiveKit's `beta.toolsets.tool_search`, by this package's name."""

from livekit.agents.beta.toolsets.tool_search import *  # noqa: F403
