"""LiveKit's `vad`, by this package's name."""

from livekit.agents.vad import *  # noqa: F403
