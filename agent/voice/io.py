"""LiveKit's `voice.io`, by this package's name."""

from livekit.agents.voice.io import *  # noqa: F403
