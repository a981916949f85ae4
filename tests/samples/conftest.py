"""The fixtures of consoles and of rooms."""

from tests.livekit_server import livekit_server
from tests.programs import programs

__all__ = ["livekit_server", "programs"]
