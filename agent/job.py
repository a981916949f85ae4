"""LiveKit's `job`, by this package's name."""

from livekit.agents.job import *  # noqa: F403
