"""LiveKit's `language`, by this package's name."""

from livekit.agents.language import *  # noqa: F403
