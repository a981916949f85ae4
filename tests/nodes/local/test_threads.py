"""Where cores are short, the event loop comes before the engines."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from antiphon.nodes.local import decoders, tts

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="niceness is a thread's own on Linux only"
)


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.parametrize(
    "pool",
    [decoders.shared(worker=True).executor, tts._thread("flite"), tts._thread("espeak")],
    ids=["pocketsphinx", "flite", "espeak"],
)
def test_an_engine_gives_way_to_the_thread_that_asks_it(pool: ThreadPoolExecutor) -> None:
    before = _niceness()
    assert pool.submit(_niceness).result() > before
    assert _niceness() == before
