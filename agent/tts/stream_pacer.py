"""LiveKit's `tts.stream_pacer`, by this package's name."""

from livekit.agents.tts.stream_pacer import *  # noqa: F403
