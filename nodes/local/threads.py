"""The threads of the engines, which may take all of a machine's cores."""

from __future__ import annotations

import os
import sys
import threading
from typing import Final

NICENESS: Final = 5  # of 19: about a third of the share of a thread that does not give way


def give_way() -> None:
    """Let the event loop's thread come first where cores are short; for a thread's beginning.

    On Linux niceness is a thread's own; elsewhere the whole process would give way.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
