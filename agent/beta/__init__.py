"""What LiveKit keeps under `beta`."""

from livekit.agents.beta import Instructions

__all__ = ["Instructions"]
