"""LiveKit's `stt`, by this package's name."""

from livekit.agents.stt import *  # noqa: F403
