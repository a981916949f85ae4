"""LiveKit's `voice.transcription.text_transforms`, by this package's name."""

from livekit.agents.voice.transcription.text_transforms import *  # noqa: F403
