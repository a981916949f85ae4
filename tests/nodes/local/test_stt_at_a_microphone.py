"""The recogniser behind what a console does to the sound of a microphone, on the virtual clock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from livekit.agents import stt

from antiphon.nodes.echo import RATE, STEP, Echo
from antiphon.nodes.local.stt import PocketsphinxSTT
from antiphon.nodes.wav import read_wav
from tests.nodes.local.test_stt import MOTHER, TIME, hear, silence

if TYPE_CHECKING:
    from tests.nodes.local.test_stt import Say

CALLERS = Path(__file__).parents[3] / "samples" / "callers"


async def test_a_cough_that_a_gain_control_made_loud_has_no_words() -> None:
    echo, heard = Echo(headset=True, cancels=False), []
    cough = read_wav(CALLERS / "hums.wav").samples[142_400:153_600]
    sound = np.concatenate([silence(1.0), cough // 2, silence(1.0)])
    for at in range(0, len(sound) - STEP + 1, STEP):
        heard += [step for _, step in echo.came_in(at / RATE, sound[at : at + STEP])]
    found = await hear(PocketsphinxSTT(), np.concatenate(heard))

    assert {event.type for event in found.events} == {stt.SpeechEventType.RECOGNITION_USAGE}


async def test_words_after_a_long_silence_in_a_room_are_heard_from_the_first_one_on(
    say: Say,
) -> None:
    echo, heard = Echo(headset=True, cancels=False), []
    sound = np.concatenate([silence(8.0), say(TIME), silence(8.0), say(MOTHER), silence(1.0)])
    sound = sound + (60 * np.random.default_rng(4).standard_normal(len(sound))).astype(np.int16)
    for at in range(0, len(sound) - STEP + 1, STEP):
        heard += [step for _, step in echo.came_in(at / RATE, sound[at : at + STEP])]
    found = await hear(PocketsphinxSTT(), np.concatenate(heard))

    assert found.texts == [TIME, MOTHER]
