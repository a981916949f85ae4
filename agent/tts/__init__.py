"""LiveKit's `tts`, by this package's name; its fallback leaves no sentence unsaid."""

from livekit.agents.tts import (
    TTS,
    AudioEmitter,
    AvailabilityChangedEvent,
    ChunkedStream,
    FallbackChunkedStream,
    FallbackSynthesizeStream,
    MarkupInfo,
    SentenceStreamPacer,
    StreamAdapter,
    StreamAdapterWrapper,
    SynthesizedAudio,
    SynthesizeStream,
    TTSCapabilities,
    TTSError,
)

from antiphon.nodes.fallback_tts import FallbackAdapter

__all__ = [
    "AudioEmitter",
    "AvailabilityChangedEvent",
    "ChunkedStream",
    "FallbackAdapter",
    "FallbackChunkedStream",
    "FallbackSynthesizeStream",
    "MarkupInfo",
    "SentenceStreamPacer",
    "StreamAdapter",
    "StreamAdapterWrapper",
    "SynthesizeStream",
    "SynthesizedAudio",
    "TTS",
    "TTSCapabilities",
    "TTSError",
]
