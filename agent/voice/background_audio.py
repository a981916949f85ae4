"""What may sound behind the voices: LiveKit's clips and their settings."""

from livekit.agents.voice.background_audio import (
    AudioConfig,
    AudioSource,
    BuiltinAudioClip,
    PlayHandle,
)

__all__ = ["AudioConfig", "AudioSource", "BuiltinAudioClip", "PlayHandle"]
