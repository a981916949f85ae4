"""The worker that a job's process belongs to, and does not outlive.

A process whose worker is gone reads that from its channel, and ends: unless its loop is blocked, or
the worker had not read what it was told last. Nobody is left then who would end it.
"""

from __future__ import annotations

import multiprocessing
import threading
from typing import TYPE_CHECKING, Final

from antiphon import signals

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

IN_ORDER_WITHIN: Final = 5.0  # seconds a process may take to end by itself
ORPHANED: Final = 1  # its exit status, which nobody reads


def end_with_it() -> None:
    """End this process, whatever it is doing, once the one that started it is gone."""
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_outlive, args=(parent,), name="parent", daemon=True).start()


def _outlive(parent: BaseProcess) -> None:
    parent.join()
    threading.Event().wait(IN_ORDER_WITHIN)
    signals.end_process(ORPHANED)
