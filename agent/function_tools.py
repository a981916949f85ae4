"""`function_tool`: LiveKit's decorator, and what the tool does to the world.

    @function_tool(effect="irrevocable")
    async def transfer(amount: float) -> str: ...

`effect` decides when a call may begin; see `antiphon.pipeline.calls`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from livekit.agents import llm

from antiphon.pipeline.calls import Effect
from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from typing_extensions import ParamSpec

    P = ParamSpec("P")

R = TypeVar("R", bound="Awaitable[Any]")

EffectName = Literal["pure", "effect", "irrevocable"]
DuplicateMode = Literal["allow", "reject", "replace", "confirm"]

_EFFECT = "__antiphon_effect__"  # on the function: its tools, bound or not, copy its attributes


@overload
def function_tool(
    f: Callable[P, R],
    *,
    raw_schema: dict[str, Any],
    flags: llm.ToolFlag = ...,
    on_duplicate: DuplicateMode = ...,
    duplicate_scope: llm.DuplicateScope = ...,
    effect: EffectName = ...,
) -> llm.RawFunctionTool[P, R]: ...


@overload
def function_tool(
    f: None = None,
    *,
    raw_schema: dict[str, Any],
    flags: llm.ToolFlag = ...,
    on_duplicate: DuplicateMode = ...,
    duplicate_scope: llm.DuplicateScope = ...,
    effect: EffectName = ...,
) -> Callable[[Callable[P, R]], llm.RawFunctionTool[P, R]]: ...


@overload
def function_tool(
    f: Callable[P, R],
    *,
    name: str | None = ...,
    description: str | None = ...,
    flags: llm.ToolFlag = ...,
    on_duplicate: DuplicateMode = ...,
    duplicate_scope: llm.DuplicateScope = ...,
    effect: EffectName = ...,
) -> llm.FunctionTool[P, R]: ...


@overload
def function_tool(
    f: None = None,
    *,
    name: str | None = ...,
    description: str | None = ...,
    flags: llm.ToolFlag = ...,
    on_duplicate: DuplicateMode = ...,
    duplicate_scope: llm.DuplicateScope = ...,
    effect: EffectName = ...,
) -> Callable[[Callable[P, R]], llm.FunctionTool[P, R]]: ...


def function_tool(
    f: Callable[..., Any] | None = None, *, effect: EffectName = "effect", **options: Any
) -> Any:
    """Make a tool of an async function; its schema comes from the type hints and the docstring.

    `effect` is what running it does: "pure" nothing that anybody notices, "effect" (the default)
    something, "irrevocable" something that must be announced first. The rest is LiveKit's.
    """
    try:
        kind = Effect(effect)
    except ValueError:
        known = ", ".join(repr(effect.value) for effect in Effect)
        raise UsageError(f"effect={effect!r}: a tool's effect is one of {known}") from None

    def tool(function: Callable[..., Any]) -> Any:
        setattr(getattr(function, "__func__", function), _EFFECT, kind)  # of a bound method too
        return llm.function_tool(function, **options)

    return tool if f is None else tool(f)


def effect_of(tool: object) -> Effect:
    """The effect that a tool was declared with."""
    found = getattr(tool, _EFFECT, Effect.EFFECT)
    return found if isinstance(found, Effect) else Effect.EFFECT
