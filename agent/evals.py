"""LiveKit's `evals`, by this package's name."""

from livekit.agents.evals import *  # noqa: F403
