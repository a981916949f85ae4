"""Which model is in use: an agent's own, its session's, or a simulation's in the place of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

from livekit.agents import NOT_GIVEN, NotGivenOr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from antiphon.session import AgentSession

T = TypeVar("T")

STAND_INS: WeakKeyDictionary[AgentSession[Any], Mapping[str, object]] = WeakKeyDictionary()
"""Models by slot that take the place of a session's, and of every agent's in it: simulations."""


def chosen(slot: str, own: NotGivenOr[T | None], session: AgentSession[Any] | None) -> T | None:
    """The model in that slot of an agent's, whose own is `own`."""
    if session is not None and slot in (stand_ins := STAND_INS.get(session, {})):
        return cast("T | None", stand_ins[slot])
    if own is not NOT_GIVEN:
        return cast("T | None", own)
    return None if session is None else cast("T | None", getattr(session, slot))
