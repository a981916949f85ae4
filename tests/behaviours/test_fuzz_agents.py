"""Conversations at random with tools, handoffs, tasks and failing models: every promise holds.

`make fuzz` runs more of them. A failure prints the number and the shortest list of moves that
fails in the same way; `Fuzzed(number, moves).hold()` runs it alone.
"""

from __future__ import annotations

import os

import pytest

from tests.behaviours.fuzzed import Fuzzed, Move, draw, shortest

RUNS = int(os.environ.get("ANTIPHON_FUZZ", "2000"))
LANES = 8


def outcome(number: int, moves: list[Move], producer: str) -> BaseException | None:
    try:
        Fuzzed(number, moves, producer).hold()
    except Exception as error:
        return error
    return None


def shortened(
    number: int, moves: list[Move], producer: str, kind: type[BaseException]
) -> BaseException:
    """The failure of the shortest case that fails in the same way, with a note that names it."""
    short = shortest(number, moves, lambda fewer: type(outcome(number, fewer, producer)) is kind)
    found = outcome(number, short, producer)
    assert found is not None
    found.add_note(f"conversation number {number}, {producer}, shortest: {short!r}")
    return found


@pytest.mark.timeout(0)
@pytest.mark.parametrize("lane", range(LANES))
@pytest.mark.parametrize(("producer", "part"), [("pipeline", 1), ("realtime", 8)])
def test_fuzzed_agents_keep_every_promise(producer: str, part: int, lane: int) -> None:
    for number in range(lane, RUNS // part, LANES):
        moves = draw(number)
        error = outcome(number, moves, producer)
        if error is not None:
            raise shortened(number, moves, producer, type(error))


def test_the_shortest_case_is_found() -> None:
    moves = [Move(float(n), "say") for n in range(13)]
    needed = {moves[3], moves[11]}
    assert set(shortest(0, moves, lambda fewer: needed <= set(fewer))) == needed
