"""A recorded caller keeps the clock's pace, whatever the one who listens does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from antiphon.nodes.callers import FRAME, RATE, RecordedCaller
from antiphon.nodes.wav import open_wav, read_wav

if TYPE_CHECKING:
    from antiphon.nodes.wav import Samples

HELLO = Path(__file__).parents[2] / "samples" / "callers" / "hello.wav"


async def test_frame_n_is_given_when_its_last_sample_has_been_spoken() -> None:
    caller = RecordedCaller()
    start = asyncio.get_running_loop().time()
    for number in range(1, 51):
        frame = await anext(caller)
        assert (frame.sample_rate, frame.samples_per_channel) == (RATE, 320)
        assert asyncio.get_running_loop().time() == start + number * FRAME


async def test_a_listener_that_falls_behind_catches_up_without_a_gap() -> None:
    caller = RecordedCaller()
    loop = asyncio.get_running_loop()
    start = loop.time()
    await anext(caller)
    await asyncio.sleep(1.0)
    for _ in range(50):
        await anext(caller)
        assert loop.time() == start + FRAME + 1.0
    await anext(caller)
    assert loop.time() == start + 52 * FRAME


async def test_a_recording_is_given_whole_and_then_silence() -> None:
    heard: list[tuple[float, Samples]] = []
    caller = RecordedCaller(lambda at, samples: heard.append((at, samples)))
    await anext(caller)
    played = caller.play(open_wav(HELLO, RATE, FRAME))
    frames = []
    while not played.done():
        frames.append(await anext(caller))

    spoken = read_wav(HELLO).samples
    given = np.concatenate([np.frombuffer(frame.data, np.int16) for frame in frames])
    assert np.array_equal(given[: len(spoken)], spoken)
    assert not given[len(spoken) :].any()
    assert np.array_equal(np.concatenate([samples for _, samples in heard[1:]]), given)
    assert [at for at, _ in heard[:3]] == [0.0, FRAME, 2 * FRAME]


async def test_one_recording_at_a_time() -> None:
    caller = RecordedCaller()
    caller.play(open_wav(HELLO, RATE, FRAME))
    with pytest.raises(RuntimeError, match="still speaking"):
        caller.play(open_wav(HELLO, RATE, FRAME))
