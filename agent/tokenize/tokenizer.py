"""LiveKit's `tokenize.tokenizer`, by this package's name."""

from livekit.agents.tokenize.tokenizer import *  # noqa: F403
