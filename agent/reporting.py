"""Telling the application: events wait until nothing is being decided, then go out in order."""

from __future__ import annotations

import logging
from collections import deque
from functools import wraps
from inspect import iscoroutinefunction
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

    Mutable state: the queue, the names of the events somebody has asked for, and what is called
    for each callback.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[tuple[EventTypes, object]] = deque()
        self._asked_for: set[EventTypes] = set()
        self._guards: dict[tuple[EventTypes, Callable[..., Any]], Callable[..., None]] = {}

    def on(
        self, event: EventTypes, callback: Callable[..., Any] | None = None
    ) -> Callable[..., Any]:
        """Call `callback` for every such event; without one, return a decorator."""
        if event not in get_args(EventTypes):
            known = arguments.nearest(event, get_args(EventTypes))
            raise ArgumentError(f"a session reports no {event!r}; {known}")
        self._asked_for.add(event)
        if callback is None or iscoroutinefunction(callback):  # the latter is refused there
            return super().on(event, callback)
        guard = self._guards.setdefault((event, callback), _guarded(event, callback))
        super().on(event, guard)
        return callback

    def off(self, event: EventTypes, callback: Callable[..., Any]) -> None:
        """Do not call `callback` any more."""
        if (guard := self._guards.pop((event, callback), None)) is not None:
            super().off(event, guard)

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


def _guarded(event: EventTypes, callback: Callable[..., Any]) -> Callable[..., None]:
    """What it raises is its own: the other callbacks are called, and the session goes on.

    LiveKit's emitter lets a TypeError out, and what is no Exception: a panic in Rust, or the
    `result()` of a task that was cancelled.
    """

    @wraps(callback)
    def guard(*arguments: object) -> None:
        try:
            callback(*arguments)
        except BaseException as error:  # nothing is awaited here: no cancellation of ours
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            logger.exception("a callback for %s failed", event)

    return guard
