"""A word about what takes its time, though it may hold everything else up meanwhile."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOW: Final = 2.0  # seconds after which it is said that something is still going on
AGAIN: Final = 10.0  # seconds until that is said again


@contextmanager
def waiting_for(what: str, say: Callable[[str], None]) -> Iterator[None]:
    """Within it, say in a thread of its own, from time to time, that `what` is waited for."""
    done = threading.Event()

    def tell() -> None:
        waited, pause = 0.0, SLOW
        while not done.wait(pause):
            waited, pause = waited + pause, AGAIN - SLOW if not waited else AGAIN
            say(f"  wait   for {what} ({waited:.0f} s)")

    threading.Thread(target=tell, name="patience", daemon=True).start()
    try:
        yield
    finally:
        done.set()
