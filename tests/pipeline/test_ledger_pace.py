"""How fast a voice speaks, as its ledger learns it, and how long what is queued will last."""

import pytest

from antiphon.pipeline.ledger import Ledger, Sound
from antiphon.pipeline.pace import Pace
from tests.pipeline.test_ledger import CHUNKS, ledger, pcm, spoken_one_by_one


def test_the_pace_learns_from_each_finished_chunk() -> None:
    pace = Pace()
    before = pace.seconds(CHUNKS[0])
    for _ in range(20):
        pace.learn(CHUNKS[0], 4.0)
    assert pace.seconds(CHUNKS[0]) == pytest.approx(4.0, rel=1e-4)
    pace.learn("", 5.0)
    pace.learn("…", 5.0)
    pace.learn(CHUNKS[0], 0.0)
    pace.learn(CHUNKS[0], 60.0)  # no voice speaks so slowly: it is not that text
    assert pace.seconds(CHUNKS[0]) == pytest.approx(4.0, rel=1e-4)
    assert pace.seconds("") == 0.0
    assert before < 2.0


def test_a_stream_without_word_times_teaches_the_pace_when_its_segment_is_whole() -> None:
    pace = Pace()
    made = Ledger(1000, pace)
    for segment in range(2):
        made.begin_segment()
        for chunk in CHUNKS[:2]:
            made.hand_out(chunk, chunk)
        lasts = 2 * Pace().seconds("".join(CHUNKS[:2]))
        made.add(Sound(pcm(int(1000 * lasts))))
        assert pace.seconds_per_unit == pytest.approx(0.06 if segment == 0 else 0.09, rel=1e-2)
    made.close()
    assert pace.seconds_per_unit == pytest.approx(0.105, rel=1e-2)


def test_a_ledger_teaches_its_pace_each_whole_range_once() -> None:
    made, expected = spoken_one_by_one(300, 200, 100, 400), Pace()
    made.close()
    for text, seconds in zip(CHUNKS, (3.0, 2.0, 1.0, 4.0), strict=True):
        expected.learn(text, seconds)
    assert made._pace.seconds_per_unit == expected.seconds_per_unit


def test_the_runway_is_exact_when_all_sound_is_there_and_expects_the_rest_before() -> None:
    made = spoken_one_by_one(30, 20, 10, 40)
    assert made.runway(25) == 0.75
    made = ledger(CHUNKS[0])
    assert made.runway(0) == Pace().seconds(CHUNKS[0])
    mark = made.mark(CHUNKS[0])
    made.add(Sound(pcm(10), mark))
    assert made.runway(10) == pytest.approx(Pace().seconds(CHUNKS[0]) - 0.1)
    mark.done = True
    assert made.runway(10) == 0.0
    made.hand_out(CHUNKS[1], CHUNKS[1])
    assert made.runway(10) == pytest.approx(Pace().seconds(CHUNKS[1]))
