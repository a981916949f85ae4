"""LiveKit's `stt.stt`, by this package's name."""

from livekit.agents.stt.stt import *  # noqa: F403
