"""LiveKit's `stt.stream_adapter`, by this package's name."""

from livekit.agents.stt.stream_adapter import *  # noqa: F403
