"""What the model is told of tools that go on in the background; LiveKit's `tool_handling` option.

Each is a `str.format` template or a function of the same arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from livekit.agents import NotGiven
    from livekit.agents.voice.tool_executor import AsyncToolOptions, ToolHandlingOptions

    Handling = ToolHandlingOptions | NotGiven | None

# update_template: function_name, call_id, message. duplicate_*: function_name, fnc_calls_json (a
# list), fnc_calls_text. reply_*: call_ids (a list).
DEFAULTS: Final[AsyncToolOptions] = {
    "update_template": (
        "Progress of the tool `{function_name}`: {message}\n"
        "It has not finished. Tell the user no more than this says, and invent nothing."
    ),
    "duplicate_reject_template": (
        "`{function_name}` was not started, because it is running already:\n{fnc_calls_text}\n"
        "To stop that call, use `lk_agents_cancel_task` with its call_id, but only when the user "
        "asks for it."
    ),
    "duplicate_confirm_template": (
        "`{function_name}` was not started, because it is running already:\n{fnc_calls_text}\n"
        "When the user wants a second one all the same, call it again with "
        "lk_agents_confirm_duplicate set to true. To stop the running call, use "
        "`lk_agents_cancel_task` with its call_id. Do either only when the user asks for it."
    ),
    "reply_at_tail_template": (
        "Tools in the background have given something new (call_ids: {call_ids}). Tell the user "
        "what it comes to, and nothing that you have told them before."
    ),
    "reply_maybe_covered_template": (
        "Tools in the background have given something new (call_ids: {call_ids}), and you have "
        "spoken since. When you have told the user all of it already, answer with no text at all. "
        "Otherwise say only what is still missing, as a natural continuation."
    ),
}


def resolve(*layers: Handling) -> dict[str, Any]:
    """The templates of session, agent and toolset, the most specific last; UsageError for a key
    that there is not."""
    found = dict(cast("dict[str, Any]", DEFAULTS))
    for layer in layers:
        given = cast("dict[str, Any]", layer or {})
        if wrong := set(given) - {"async_options"}:
            raise UsageError(f"tool_handling has no {wrong}; it has 'async_options'")
        templates = given.get("async_options") or {}
        if wrong := set(templates) - set(DEFAULTS):
            known = ", ".join(DEFAULTS)
            raise UsageError(f"tool_handling['async_options'] has no {wrong}; it has {known}")
        found.update(templates)
    return found


def render(template: Any, **arguments: object) -> str:
    """Fill a template in; one that is a function gets all its arguments in one dictionary."""
    return str(template(arguments)) if callable(template) else str(template).format(**arguments)
