"""Arguments that cannot be: each is found when it is given, and the message says what to write.

A check is called with the argument as it is written and its value, and raises ArgumentError.
"""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeGuard, TypeVar, cast

from livekit.agents import Agent as LiveKitAgent
from livekit.agents import NotGiven, NotGivenOr, llm
from livekit.agents.llm.chat_context import Instructions

from antiphon.pipeline.errors import ArgumentError

if TYPE_CHECKING:
    from types import UnionType

Check = Callable[[str, object], None]

T = TypeVar("T")
D = TypeVar("D")


def given(value: NotGivenOr[T]) -> TypeGuard[T]:
    """Whether an argument that may be left out was not."""
    return not isinstance(value, NotGiven)


def said(value: NotGivenOr[T], default: D) -> T | D:
    """The argument, or what it is when it was left out."""
    return default if isinstance(value, NotGiven) else value


def nearest(name: str, known: Iterable[str]) -> str:
    """What was probably meant by `name`, else everything that is known, as the end of a message."""
    every = list(known)
    close = difflib.get_close_matches(name, every, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there is {', '.join(sorted(every))}"


def seconds(name: str, value: object) -> None:
    """A duration: a number that is not negative."""
    if not _number(value) or not math.isfinite(value) or value < 0:
        raise ArgumentError(f"{name}={value!r}: write seconds, a number of 0 or more")


def fraction(name: str, value: object) -> None:
    if not _number(value) or not 0 <= value <= 1:
        raise ArgumentError(f"{name}={value!r}: write a number between 0 and 1")


def flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ArgumentError(f"{name}={value!r}: write True or False")


def count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ArgumentError(f"{name}={value!r}: write a whole number of 0 or more")


def one_of(*choices: str) -> Check:
    """One of these words."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, str) or value not in choices:
            known = " or ".join(repr(choice) for choice in choices)
            raise ArgumentError(f"{name}={value!r}: write {known}")

    return check


def optional(check: Check) -> Check:
    """None, or what `check` lets pass."""

    def also_none(name: str, value: object) -> None:
        if value is not None:
            check(name, value)

    return also_none


def words(name: str, value: object) -> None:
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise ArgumentError(f"{name}={value!r}: write a list of str")


def anything(name: str, value: object) -> None:
    """Where there is no telling."""


def mapping(name: str, value: object, checks: Mapping[str, Check]) -> None:
    """A dictionary with these keys, any of them left out."""
    if not isinstance(value, Mapping):
        known = ", ".join(repr(key) for key in checks)
        raise ArgumentError(f"{name}={value!r}: write a dictionary with {known}")
    for key, item in value.items():
        if key not in checks:
            raise ArgumentError(f"{name} has no {key!r}; {nearest(str(key), checks)}")
        checks[key](f"{name}[{key!r}]", item)


def keys(checks: Mapping[str, Check]) -> Check:
    return lambda name, value: mapping(name, value, checks)


def instance(name: str, value: T, kind: type | UnionType, write: str) -> T:
    """An object of that class; `write` is an example of one."""
    if not isinstance(value, kind):
        raise ArgumentError(f"{name}={_shown(value)}: write {write}")
    return value


def tools(name: str, value: object, *more: llm.Tool | llm.Toolset) -> list[llm.Tool | llm.Toolset]:
    """Tools that a model can be offered together; None is none, `more` are known to be tools."""
    if value is not None and not isinstance(value, list | tuple):
        raise ArgumentError(f"{name}={_shown(value)}: write a list, {name}=[…]")
    every = [*(value or ()), *more]
    for tool in every:
        _tool(name, tool)
    try:
        llm.ToolContext(every)
    except ValueError as error:
        raise ArgumentError(f"{name}: {error}; give each tool a name of its own") from None
    return every


def _tool(name: str, tool: object) -> None:
    if isinstance(tool, llm.Tool | llm.Toolset):
        return
    said = f"{name}=[{_shown(tool)}]"
    if isinstance(tool, type) and issubclass(tool, llm.Toolset | llm.Tool):
        raise ArgumentError(f"{said}: that is the class; write {tool.__name__}(…)")
    mcp = sys.modules.get("livekit.agents.llm.mcp")  # needs a package that may not be there
    if mcp is not None and isinstance(tool, mcp.MCPServer):
        raise ArgumentError(f'{said}: write mcp.MCPToolset(id="…", mcp_server=…) around the server')
    try:
        llm.ToolContext([cast("llm.Tool", tool)])  # a wrapped tool is one
    except ValueError:
        how = "decorate it with @function_tool" if callable(tool) else "write functions of yours"
        raise ArgumentError(f"{said}: that is no tool; {how}") from None


def instructions(value: object) -> str | Instructions:
    if not isinstance(value, str | Instructions):
        raise ArgumentError(f"instructions={_shown(value)}: write a str, or Instructions(…)")
    return value


def speech(value: object) -> None:
    """Text to be said."""
    if not isinstance(value, str | AsyncIterable):
        how = ".decode() it" if isinstance(value, bytes) else "write a str or an async iterable"
        raise ArgumentError(f"say({_shown(value)}): {how}")


def sound(value: object) -> None:
    """Ready audio to be played."""
    if not isinstance(value, AsyncIterable):
        raise ArgumentError(f"audio={_shown(value)}: write an async iterable of rtc.AudioFrame")


def agent(call: str, value: object, kind: type[T]) -> T:
    """An agent of ours, made."""
    if isinstance(value, kind):
        return value
    if isinstance(value, type):
        raise ArgumentError(
            f"{call}({value.__name__}): that is the class; write {value.__name__}(…)"
        )
    if isinstance(value, LiveKitAgent):
        raise ArgumentError(
            f"{call}(…): {type(value).__name__} is an agent of LiveKit's; "
            f"write `from antiphon import Agent` where it is defined"
        )
    raise ArgumentError(f"{call}({value!r}): write an Agent")


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    name = getattr(value, "__qualname__", None)
    return name if isinstance(name, str) else repr(value)
