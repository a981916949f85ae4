"""What LiveKit keeps under `beta`."""

from livekit.agents.beta import Instructions

from antiphon.beta import tools, workflows
from antiphon.beta.tools import EndCallTool

__all__ = ["EndCallTool", "Instructions", "tools", "workflows"]
