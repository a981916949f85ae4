"""A connection over which a reply that was cut would go on.

LiveKit's clients for OpenAI's Responses by WebSocket, for Cartesia's voices and for LiveKit
Inference's put such a connection aside and close it when they are asked for the next one; until
then the server goes on, and what it makes is paid for. There is no public way to have it closed:
beside `worker.py`, this is the place that reaches behind one.
"""

from __future__ import annotations

import logging
from typing import Any

from livekit.agents.utils import ConnectionPool

logger = logging.getLogger("antiphon.usage")


def put_aside(model: object) -> ConnectionPool[Any] | None:
    """Where a model keeps its connections, if it closes those that were cut only later."""
    pool = getattr(getattr(model, "_ws", model), "_pool", None)
    return pool if isinstance(pool, ConnectionPool) else None


async def close_aside(pool: ConnectionPool[Any]) -> None:
    """Close what was put aside; connections that are in use, by whomever, stay as they are."""
    try:
        await pool._drain_to_close()
    except Exception as error:
        logger.warning("a connection whose reply was cut stays open: %s", error)
