"""What the user shows reaches a realtime model's server as pictures, as often as for any other."""

from __future__ import annotations

import asyncio
from importlib import import_module
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents.voice import io

from antiphon.conformance.checks import SECOND
from antiphon.simulate import pauses, says
from tests.agent.test_vision import RED, picture
from tests.realtime.rows import OPENAI, ROWS, Row
from tests.realtime.script import Model
from tests.realtime.talking import talking
from tests.realtime.test_conversations import FIRST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from livekit import rtc

EVERY = pytest.mark.parametrize("row", ROWS, ids=str)


class Film(io.VideoInput):
    """Ten pictures a second."""

    def __init__(self) -> None:
        super().__init__(label="camera")
        self.shown = 0

    def __aiter__(self) -> AsyncIterator[rtc.VideoFrame]:
        return self

    async def __anext__(self) -> rtc.VideoFrame:
        await asyncio.sleep(0.1)
        self.shown += 1
        return picture(RED, 320, 180)


@EVERY
async def test_pictures_come_each_second_of_the_users_voice_and_seldom_in_silence(
    row: Row,
) -> None:
    film, model = Film(), Model(FIRST, SECOND)
    model.transcribing = 6.0  # pictures, and another turn, come between a turn and its words
    async with talking(row, model) as talk:
        talk.call.session.input.video = film
        await talk.play(says("what is it that i have here in my left hand"))
        await talk.play(says("thank you"))
        await talk.call.play(pauses(10.0))
    assert film.shown > 150
    gaps = [after - before for (before, _), (after, _) in pairwise(model.pictures)]
    often = [gap for gap in gaps if gap < 3.3]
    assert len(often) >= 3 if row.announces else not often
    assert all(0.99 <= gap <= 3.6 for gap in gaps)
    pictures: Any = import_module("PIL.Image")
    for _, data in model.pictures:
        with pictures.open(BytesIO(data)) as found:
            assert (found.format, found.width * 9) == ("JPEG", found.height * 16)
            red, green, blue = found.convert("RGB").getpixel((160, 90))
        assert red > 200 > 60 > max(green, blue)
    assert talk.history() == [
        ("user", "what is it that i have here in my left hand"),
        ("assistant", FIRST),
        ("user", "thank you"),
        ("assistant", SECOND),
    ]


async def test_a_sampler_of_ones_own_decides_what_the_model_sees() -> None:
    film, model = Film(), Model(FIRST)
    async with talking(OPENAI, model, video_sampler=lambda *_: film.shown % 20 == 0) as talk:
        talk.call.session.input.video = film
        await talk.play(says("what is this"))
        talk.call.session.input.set_video_enabled(False)
        seen = len(model.pictures)
        await talk.call.play(pauses(5.0))
    assert seen >= 2
    assert len(model.pictures) == seen
