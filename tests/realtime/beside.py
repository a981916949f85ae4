"""A model's server on a thread of its own, beside a program that runs in real time."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.realtime.rows import Row
    from tests.realtime.script import Model


@contextmanager
def beside(row: Row, model: Model) -> Iterator[Model]:
    """`row`'s server, while the block runs."""
    ready, loops = threading.Event(), list[asyncio.AbstractEventLoop]()
    over = asyncio.Event()

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        try:
            async with row.serving(model):
                ready.set()
                await over.wait()
        finally:
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10.0)
        yield model
    finally:
        loops[0].call_soon_threadsafe(over.set)
        thread.join(10.0)
    assert not thread.is_alive()
