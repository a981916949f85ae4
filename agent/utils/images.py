"""LiveKit's `utils.images`, by this package's name."""

from livekit.agents.utils.images import *  # noqa: F403
