"""What a node may give, and what is said when it gives something else."""

from __future__ import annotations

import pytest
from livekit import rtc

from antiphon.nodes import edge


def test_a_voice_that_gives_no_frames_is_told_what_to_give() -> None:
    sound = rtc.AudioFrame.create(16000, 1, 160)
    assert edge.frame(sound) is sound
    with pytest.raises(TypeError, match=r"tts_node, .* gave str: it must give rtc\.AudioFrame"):
        edge.frame("hello")
