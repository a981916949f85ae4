"""LiveKit's `tts`, by this package's name."""

from livekit.agents.tts import *  # noqa: F403
