"""Something to say while a tool takes its time: `RunContext.with_filler`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from antiphon.pipeline.errors import SessionClosed, UsageError

if TYPE_CHECKING:
    from antiphon.running import Running

logger = logging.getLogger("antiphon.tools")

Source = str | Callable[[int], Any]

BREATH: Final = 0.1  # seconds before one is asked again that had nothing to say, at least


class Filler:
    """Says `source`, or what that gives for the number of times it has spoken, once it has been
    quiet for `delay` seconds; with `interval`, again so many seconds later."""

    def __init__(
        self,
        running: Running,
        source: Source,
        delay: float,
        interval: float | None,
        max_steps: int | None,
    ) -> None:
        if delay < 0.0 or (interval is not None and interval < 0.0):
            raise UsageError("with_filler: delay and interval are seconds, and not negative")
        self._running = running
        self._source = source
        self._delay = delay
        self._interval = interval
        self._max = max_steps

    async def run(self) -> None:
        """Until it has said enough, or the speech that called the tool was interrupted."""
        try:
            await self._run()
        except SessionClosed:
            pass
        except Exception:
            logger.exception("the filler of %s failed; the tool goes on", self._running.call.name)

    async def _run(self) -> None:
        running, spoken = self._running, 0
        while True:
            await running.conversation.idle.wait(running.agent, self._delay)
            if running.handle.interrupted:
                return
            said = self._source(spoken) if callable(self._source) else self._source
            if isinstance(said, str):
                said = running.session.say(said)
            spoken += said is not None
            if self._interval is None or (self._max is not None and spoken >= self._max):
                return
            pause = self._interval if said is not None else max(self._interval, BREATH)
            await asyncio.sleep(pause)
