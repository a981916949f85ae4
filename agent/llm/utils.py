"""LiveKit's `llm.utils`, by this package's name."""

from livekit.agents.llm.utils import *  # noqa: F403
