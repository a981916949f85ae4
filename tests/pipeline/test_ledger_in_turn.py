"""Sound that a voice does not mark belongs to the text it asked for last, if it asks in turn."""

from __future__ import annotations

from antiphon.pipeline.ledger import Ledger, Sound
from antiphon.pipeline.pace import Pace

RATE = 100


def test_a_voice_that_makes_frames_of_its_own_in_turn_is_heard_chunk_by_chunk() -> None:
    made = Ledger(RATE, Pace())
    for text, samples in (("Slow words here. ", 900), ("And these are quick.", 30)):
        made.hand_out(text, text, inline=True)
        made.add(Sound(memoryview(bytes(2 * samples)).cast("h")))

    assert made.text_at(900) == "Slow words here. "
    assert made.text_at(899) == "Slow words"


def test_a_voice_that_asks_for_texts_beforehand_is_measured_as_one_range() -> None:
    made = Ledger(RATE, Pace())
    made.hand_out("One two three. ", "One two three. ", inline=True)
    made.hand_out("Four five six.", "Four five six.", inline=True)
    made.add(Sound(memoryview(bytes(2 * 600)).cast("h")))
    made.close()

    assert made.text_at(300) == "One two three."
