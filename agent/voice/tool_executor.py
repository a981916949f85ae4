"""The dictionaries of tool handling."""

from livekit.agents.voice.tool_executor import (
    AsyncToolOptions,
    DuplicatePromptArgs,
    ReplyPromptArgs,
    ToolHandlingOptions,
    UpdatePromptArgs,
)

__all__ = [
    "AsyncToolOptions",
    "DuplicatePromptArgs",
    "ReplyPromptArgs",
    "ToolHandlingOptions",
    "UpdatePromptArgs",
]
