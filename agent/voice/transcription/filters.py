"""LiveKit's `voice.transcription.filters`, by this package's name."""

from livekit.agents.voice.transcription.filters import *  # noqa: F403
