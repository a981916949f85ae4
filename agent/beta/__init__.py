"""What LiveKit keeps under `beta`."""

from livekit.agents.beta import Instructions

from antiphon.beta import workflows

__all__ = ["Instructions", "workflows"]
