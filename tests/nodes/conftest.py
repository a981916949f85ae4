"""The sound cards' fixtures, and that of programs which use them."""

from tests.portaudio_stand_in import portaudio
from tests.programs import programs
from tests.sound_card import sound_card, virtual_card

__all__ = ["portaudio", "programs", "sound_card", "virtual_card"]
