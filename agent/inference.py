"""LiveKit's `inference`, by this package's name."""

from livekit.agents.inference import *  # noqa: F403
