"""LiveKit's `utils.codecs`, by this package's name."""

from livekit.agents.utils.codecs import *  # noqa: F403
