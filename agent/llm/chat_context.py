"""LiveKit's `llm.chat_context`, by this package's name."""

from livekit.agents.llm.chat_context import *  # noqa: F403
