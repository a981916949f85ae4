"""LiveKit's `testing`, by this package's name."""

from livekit.agents.testing import *  # noqa: F403
