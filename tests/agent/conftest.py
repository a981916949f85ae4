"""The console's fixtures."""

from tests.programs import programs
from tests.sound_card import sound_card

__all__ = ["programs", "sound_card"]
