"""LiveKit's `tokenize.token_stream`, by this package's name."""

from livekit.agents.tokenize.token_stream import *  # noqa: F403
