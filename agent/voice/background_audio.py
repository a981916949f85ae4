"""What may sound behind the voices: LiveKit's clips and their settings."""

from livekit.agents.voice.background_audio import (
    AudioConfig,
    AudioSource,
    BackgroundAudioPlayer,
    BuiltinAudioClip,
    PlayHandle,
)

__all__ = ["AudioConfig", "AudioSource", "BackgroundAudioPlayer", "BuiltinAudioClip", "PlayHandle"]
