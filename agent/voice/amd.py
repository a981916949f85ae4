"""What an answering machine's detector says."""

from livekit.agents.voice.amd import AMDCategory, AMDPredictionEvent

__all__ = ["AMDCategory", "AMDPredictionEvent"]
