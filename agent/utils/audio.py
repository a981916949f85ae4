"""LiveKit's `utils.audio`, by this package's name."""

from livekit.agents.utils.audio import *  # noqa: F403
