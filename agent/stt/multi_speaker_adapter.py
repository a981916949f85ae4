"""LiveKit's `stt.multi_speaker_adapter`, by this package's name."""

from livekit.agents.stt.multi_speaker_adapter import *  # noqa: F403
