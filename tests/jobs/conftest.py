"""A LiveKit server for the tests of workers, and programs that are loaded here."""

from tests.livekit_server import livekit_server
from tests.programs import programs

__all__ = ["livekit_server", "programs"]
