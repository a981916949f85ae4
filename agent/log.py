"""LiveKit's `log`, by this package's name."""

from livekit.agents.log import *  # noqa: F403
