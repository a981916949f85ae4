"""LiveKit's `metrics.base`, by this package's name."""

from livekit.agents.metrics.base import *  # noqa: F403
