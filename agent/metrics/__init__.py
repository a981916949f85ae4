"""LiveKit's `metrics`, by this package's name."""

from livekit.agents.metrics import *  # noqa: F403
