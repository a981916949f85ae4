"""LiveKit's `tts.stream_adapter`, by this package's name."""

from livekit.agents.tts.stream_adapter import *  # noqa: F403
