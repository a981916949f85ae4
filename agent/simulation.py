"""LiveKit's `simulation`, by this package's name."""

from livekit.agents.simulation import *  # noqa: F403
