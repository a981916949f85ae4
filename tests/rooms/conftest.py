"""The rooms' fixtures: a server, and a room of one's own for each test."""

from __future__ import annotations

import uuid

import pytest

from tests.livekit_server import livekit_server

__all__ = ["livekit_server", "name"]


@pytest.fixture
def name() -> str:
    """Of a room that no other test is in."""
    return f"room-{uuid.uuid4().hex[:8]}"
