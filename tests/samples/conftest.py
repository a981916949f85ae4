"""The console's fixtures."""

from tests.programs import programs

__all__ = ["programs"]
