"""Who answers a call: a human, or a machine."""

from livekit.agents.voice.amd import AMDCategory, AMDPredictionEvent

from antiphon.amd import AMD

__all__ = ["AMD", "AMDCategory", "AMDPredictionEvent"]
