"""LiveKit's `utils.participant`, by this package's name."""

from livekit.agents.utils.participant import *  # noqa: F403
