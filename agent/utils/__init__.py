"""LiveKit's `utils`, by this package's name."""

from livekit.agents.utils import *  # noqa: F403
