"""Text transforms and LiveKit's own pacing of captions; ours follow the ledger."""

from livekit.agents.voice.transcription import (
    TranscriptSynchronizer,
    find_micro_track_id,
    text_transforms,
)

__all__ = ["TranscriptSynchronizer", "find_micro_track_id", "text_transforms"]
