"""Telling the application: events wait until nothing is being decided, then go out in order."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, get_args

from livekit import rtc

from antiphon import arguments
from antiphon.events import EventTypes
from antiphon.pipeline.errors import ArgumentError
from antiphon.worker import Reported

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("antiphon.session")


class Reporting(Reported, rtc.EventEmitter[EventTypes]):
    """An emitter with a queue. An event that nobody listens to is not even made, but in a job.

    Mutable state: the queue, and the names of the events somebody has asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[tuple[EventTypes, object]] = deque()
        self._asked_for: set[EventTypes] = set()

    def on(
        self, event: EventTypes, callback: Callable[..., Any] | None = None
    ) -> Callable[..., Any]:
        """Call `callback` for every such event; without one, return a decorator."""
        if event not in get_args(EventTypes):
            known = arguments.nearest(event, get_args(EventTypes))
            raise ArgumentError(f"a session reports no {event!r}; {known}")
        self._asked_for.add(event)
        return super().on(event, callback)

    def off(self, event: EventTypes, callback: Callable[..., Any]) -> None:
        """Do not call `callback` any more."""
        super().off(event, callback)

    def report(self, name: EventTypes, kind: Callable[..., object], **fields: object) -> None:
        """Queue `kind(**fields)` for the application."""
        if name in self._asked_for or (self.reported and name != "metrics_collected"):
            self._waiting.append((name, kind(**fields)))

    def deliver(self) -> None:
        """Hand queued events to the application, unless something is being decided."""
        while self._waiting and not self.deciding:
            name, event = self._waiting.popleft()
            if self.reported and name != "metrics_collected":  # the history tells of those
                self._recorded_events.append(event)
            try:
                self.emit(name, event)
            except Exception:
                logger.exception("a callback for %s failed", name)

    @property
    def deciding(self) -> bool:
        """The turn machine is at work: callbacks, which may call back, must wait."""
        return False
