"""The console's fixtures."""

from tests.programs import programs
from tests.sound_card import sound_card, virtual_card
from tests.tmux import pane

__all__ = ["pane", "programs", "sound_card", "virtual_card"]
