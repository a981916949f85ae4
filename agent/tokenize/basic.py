"""LiveKit's `tokenize.basic`, by this package's name."""

from livekit.agents.tokenize.basic import *  # noqa: F403
