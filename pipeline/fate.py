"""Whether what a model was asked for is let out, or thrown away: for who keeps a state of its own.

It is let out when the first of it is heard, or when it comes to its end with nothing to be heard;
cut before that, it was thrown away.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("antiphon.reply")


class Fate:
    """Of one step. Mutable state: what is decided, and who is to be told."""

    def __init__(self) -> None:
        self.let_out: bool | None = None
        self._waiting: list[Callable[[bool], object]] = []

    def when(self, tell: Callable[[bool], object]) -> None:
        """Have `tell` called, once, from the event loop, as soon as it is decided."""
        if self.let_out is None:
            self._waiting.append(tell)
        else:
            asyncio.get_running_loop().call_soon(_told, tell, self.let_out)

    def settle(self, *, let_out: bool) -> None:
        """It is decided; the first time counts."""
        if self.let_out is None:
            self.let_out = let_out
            waiting, self._waiting = self._waiting, []
            for tell in waiting:
                self.when(tell)


def _told(tell: Callable[[bool], object], let_out: bool) -> None:
    try:
        tell(let_out)
    except Exception:
        logger.exception("what was to be told of a decision failed")
