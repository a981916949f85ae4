"""What becomes of one request while a model works on it: it begins anew, or another takes over.

LiveKit's models tell of both by events, to all who listen and of all their requests. Whose it was
shows in the context that the event comes from: a model works on a request in tasks of its own,
which are made where it is asked.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit import rtc

T = TypeVar("T")

_WATCH: ContextVar[Watch | None] = ContextVar("antiphon.watch", default=None)


class Watch:
    """Listens to these `events` of a model, for what is asked by `asked`, inside a `with`.

    Mutable state: the loop time at which each was told last.
    """

    def __init__(
        self,
        model: rtc.EventEmitter[Any],
        *events: str,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        self.told: dict[str, float] = {}
        self._model = model
        self._then = then
        self._listening = {name: partial(self._noted, name) for name in events}

    def __enter__(self) -> Self:
        for name, listen in self._listening.items():
            self._model.on(name, listen)
        return self

    def __exit__(self, *_: object) -> None:
        for name, listen in self._listening.items():
            self._model.off(name, listen)

    def asked(self, ask: Callable[[], T]) -> T:
        """Ask the model; what its tasks tell of from now on is of this request."""
        context = copy_context()
        context.run(_WATCH.set, self)
        return context.run(ask)

    def _noted(self, name: str, event: object) -> None:
        recovered = getattr(event, "available", False)  # by a probe, which is not our request
        if _WATCH.get() is self and not recovered:
            self.told[name] = asyncio.get_running_loop().time()
            self._then()
