"""A tool is called while the same tool runs: `on_duplicate` says what comes of it.

| on_duplicate | the second call |
|---|---|
| allow | runs too |
| reject | does not run, and the model is told what does |
| confirm | the same, unless the model says that it means it |
| replace | runs, and the first is cancelled (which must be CANCELLABLE) |

With `duplicate_scope="name_and_args"` only a call with the same arguments is the same. Only calls
of one owner are compared.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from livekit.agents import llm
from livekit.agents.llm.tool_context import CONFIRM_DUPLICATE_PARAM

from antiphon.templates import render

if TYPE_CHECKING:
    from collections.abc import Iterable

    from antiphon.running import Running


def of(running: Running, others: Iterable[Running]) -> list[Running]:
    """Those that it is a duplicate of."""
    mine = _key(running)
    return [
        other
        for other in others
        if other is not running
        and not other.over
        and other.tool.info.on_duplicate != "allow"
        and _key(other) == mine
    ]


def refusal(running: Running, others: list[Running], *, confirmed: bool) -> str | None:
    """What the model is told instead of an answer, or None where the call may run."""
    mode = running.tool.info.on_duplicate
    if not others or mode not in ("reject", "confirm") or (mode == "confirm" and confirmed):
        return None
    calls = [other.call.model_dump_json() for other in others]
    return render(
        running.owner.templates[f"duplicate_{mode}_template"],
        function_name=running.call.name,
        fnc_calls_json=calls,
        fnc_calls_text="\n".join(calls),
    )


def take_confirmation(running: Running, arguments: dict[str, Any]) -> bool:
    """Whether the model means a duplicate; that it says so is no argument of the tool's."""
    if running.tool.info.on_duplicate != "confirm":
        return False
    return bool(arguments.pop(CONFIRM_DUPLICATE_PARAM, False))


def _key(running: Running) -> tuple[str, str]:
    """What a duplicate has in common: the name, and the arguments as the tool will get them."""
    name, info = running.call.name, running.tool.info
    if info.duplicate_scope != "name_and_args":
        return name, ""
    given = json.loads(running.call.arguments or "{}")
    given.pop(CONFIRM_DUPLICATE_PARAM, None)
    try:
        return name, _canonical(llm.utils.validated_arguments(running.tool, given))
    except Exception:  # the call itself will say what is wrong with them
        return name, _canonical(given)


def _canonical(arguments: dict[str, Any]) -> str:
    return json.dumps(arguments, sort_keys=True, default=str)
