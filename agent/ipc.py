"""LiveKit's `ipc`, by this package's name."""

from livekit.agents.ipc import *  # noqa: F403
