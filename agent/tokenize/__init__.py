"""LiveKit's `tokenize`, by this package's name."""

from livekit.agents.tokenize import *  # noqa: F403
