"""LiveKit's `tokenize.blingfire`, by this package's name."""

from livekit.agents.tokenize.blingfire import *  # noqa: F403
