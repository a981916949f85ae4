"""LiveKit's `metrics.usage_collector`, by this package's name."""

from livekit.agents.metrics.usage_collector import *  # noqa: F403
