"""LiveKit's `llm.fallback_adapter`, by this package's name."""

from livekit.agents.llm.fallback_adapter import *  # noqa: F403

from antiphon.nodes.fallback_llm import FallbackAdapter as FallbackAdapter
