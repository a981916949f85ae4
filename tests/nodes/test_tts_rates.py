"""Frames of any rate, as samples at the output's: the same ones every time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from livekit import rtc

from antiphon.nodes.tts import sounds

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def made(source: int, rate: int) -> bytes:
    noise = np.random.default_rng(7).integers(-20_000, 20_000, source, dtype=np.int16)

    async def node() -> AsyncGenerator[rtc.AudioFrame, None]:
        for start in range(0, source, source // 50):
            part = noise[start : start + source // 50]
            yield rtc.AudioFrame(part.tobytes(), source, 1, len(part))

    return b"".join([bytes(sound.pcm) async for sound in sounds(node, rate)])


@pytest.mark.parametrize(("source", "rate"), [(8000, 16000), (48000, 24000), (22050, 48000)])
async def test_resampled_sound_is_the_same_bit_for_bit_every_time(source: int, rate: int) -> None:
    first = await made(source, rate)
    assert len(first) == 2 * rate
    for _ in range(5):
        assert await made(source, rate) == first


async def test_what_is_no_sound_is_refused_by_name() -> None:
    async def node() -> AsyncGenerator[str, None]:
        yield "hello"

    with pytest.raises(TypeError, match=r"tts_node.* gave str: it must give rtc\.AudioFrame"):
        _ = [sound async for sound in sounds(node, 16000)]
