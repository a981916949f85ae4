"""LiveKit's `llm.llm`, by this package's name."""

from livekit.agents.llm.llm import *  # noqa: F403
