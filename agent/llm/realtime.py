"""LiveKit's `llm.realtime`, by this package's name."""

from livekit.agents.llm.realtime import *  # noqa: F403
