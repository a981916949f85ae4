"""LiveKit's `beta.toolsets`, by this package's name."""

from livekit.agents.beta.toolsets import *  # noqa: F403
