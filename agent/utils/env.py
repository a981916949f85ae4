"""LiveKit's `utils.env`, by this package's name."""

from livekit.agents.utils.env import *  # noqa: F403
