"""A LiveKit server for the tests of workers."""

from tests.livekit_server import livekit_server

__all__ = ["livekit_server"]
