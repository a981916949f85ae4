"""LiveKit's own pacing of captions, by its module path; ours follow the ledger."""

from livekit.agents.voice.transcription import TranscriptSynchronizer

__all__ = ["TranscriptSynchronizer"]
