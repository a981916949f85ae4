"""LiveKit's `utils.misc`, by this package's name."""

from livekit.agents.utils.misc import *  # noqa: F403
