"""LiveKit's `utils.http_context`, by this package's name."""

from livekit.agents.utils.http_context import *  # noqa: F403
