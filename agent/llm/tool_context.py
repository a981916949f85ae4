"""LiveKit's `llm.tool_context`; `function_tool` is ours, which knows effects."""

from livekit.agents.llm.tool_context import (
    DuplicateMode,
    DuplicateScope,
    FunctionTool,
    ProviderTool,
    RawFunctionTool,
    StopResponse,
    Tool,
    ToolChoice,
    ToolContext,
    ToolError,
    ToolFlag,
    ToolResult,
    Toolset,
    find_function_tools,
    get_fnc_tool_names,
    is_function_tool,
    is_raw_function_tool,
)

from antiphon.function_tools import function_tool

__all__ = [
    "DuplicateMode",
    "DuplicateScope",
    "FunctionTool",
    "ProviderTool",
    "RawFunctionTool",
    "StopResponse",
    "Tool",
    "ToolChoice",
    "ToolContext",
    "ToolError",
    "ToolFlag",
    "ToolResult",
    "Toolset",
    "find_function_tools",
    "function_tool",
    "get_fnc_tool_names",
    "is_function_tool",
    "is_raw_function_tool",
]
