"""LiveKit's `tokenize.utils`, by this package's name."""

from livekit.agents.tokenize.utils import *  # noqa: F403
