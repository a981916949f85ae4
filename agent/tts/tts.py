"""LiveKit's `tts.tts`, by this package's name."""

from livekit.agents.tts.tts import *  # noqa: F403
