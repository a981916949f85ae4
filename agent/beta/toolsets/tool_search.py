"""LiveKit's `beta.toolsets.tool_search`, by this package's name."""

from livekit.agents.beta.toolsets.tool_search import (
    BM25SearchStrategy,
    KeywordSearchStrategy,
    SearchItem,
    SearchStrategy,
    ToolSearchToolset,
)

__all__ = [
    "BM25SearchStrategy",
    "KeywordSearchStrategy",
    "SearchItem",
    "SearchStrategy",
    "ToolSearchToolset",
]
