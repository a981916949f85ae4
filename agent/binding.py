"""The arguments that a model gives a tool, as its function takes them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, get_type_hints
from weakref import WeakKeyDictionary

from livekit.agents import llm

if TYPE_CHECKING:
    from antiphon.context import RunContext

Tool = llm.FunctionTool[Any, Any] | llm.RawFunctionTool[Any, Any]

_CONTEXTS: Final[WeakKeyDictionary[Tool, tuple[str, ...] | None]] = WeakKeyDictionary()


def bind(
    tool: Tool, arguments: dict[str, Any], context: RunContext[Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments; ToolError, for the model, where they do not fit.

    LiveKit makes a model of the parameters for every call, which takes most of a millisecond; a
    tool that has none is called without.
    """
    contexts = _contexts(tool)
    if contexts is not None:
        return (), dict.fromkeys(contexts, context)
    return llm.utils.prepare_function_arguments(
        fnc=tool, json_arguments=arguments, call_ctx=context
    )


def _contexts(tool: Tool) -> tuple[str, ...] | None:
    """The parameters that take the context, if there are no others; else None."""
    if isinstance(tool, llm.RawFunctionTool):
        return None
    if tool not in _CONTEXTS:
        names, hints = tuple(inspect.signature(tool).parameters), get_type_hints(tool)
        only = all(
            name in hints and llm.utils.is_context_type(hints[name], allow_subclasses=True)
            for name in names
        )
        _CONTEXTS[tool] = names if only else None
    return _CONTEXTS[tool]
