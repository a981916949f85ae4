"""LiveKit's `plugin`, by this package's name."""

from livekit.agents.plugin import *  # noqa: F403
