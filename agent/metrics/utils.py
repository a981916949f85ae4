"""LiveKit's `metrics.utils`, by this package's name."""

from livekit.agents.metrics.utils import *  # noqa: F403
