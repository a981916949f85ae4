"""LiveKit's `voice.avatar`, by this package's name."""

from livekit.agents.voice.avatar import *  # noqa: F403
