"""LiveKit's `utils.aio`, by this package's name."""

from livekit.agents.utils.aio import *  # noqa: F403
