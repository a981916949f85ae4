"""LiveKit's `types`, by this package's name."""

from livekit.agents.types import *  # noqa: F403
