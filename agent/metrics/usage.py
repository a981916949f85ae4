"""LiveKit's `metrics.usage`, by this package's name."""

from livekit.agents.metrics.usage import *  # noqa: F403
