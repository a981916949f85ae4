"""Every row of the two tables is taken by some scenario, so none of them is there for nothing."""

import inspect
from collections.abc import Callable

from antiphon.pipeline.turn_table import AGENT_IS, FLOOR, HELD, UNHELD, USER, Act, Cue, Floor, User
from tests.pipeline import test_turn_replies, test_turn_tools, test_turns
from tests.pipeline.turning import TAKEN


def scenarios() -> list[Callable[[], None]]:
    """The tests of the machine that need no arguments."""
    return [
        test
        for module in (test_turns, test_turn_replies, test_turn_tools)
        for name, test in inspect.getmembers(module, inspect.isfunction)
        if name.startswith("test_") and not inspect.signature(test).parameters
    ]


def test_every_row_of_both_tables_is_taken_by_a_scenario() -> None:
    TAKEN.clear()
    for scenario in scenarios():
        scenario()
    assert {*FLOOR, *USER} == TAKEN


def test_a_reply_is_paused_into_a_held_state_and_resumed_out_of_one() -> None:
    for (before, _), (after, acts) in FLOOR.items():
        assert (Act.PAUSE in acts) == (before not in HELD and after in HELD)
        assert (Act.RESUME in acts) == (before in HELD and after not in (*HELD, Floor.FREE))


def test_a_reply_leaves_the_floor_by_itself_or_is_cut() -> None:
    for (before, cue), (after, acts) in FLOOR.items():
        assert before is not after
        ends = before not in UNHELD and after is Floor.FREE
        assert (Act.CUT in acts) == (ends and cue is not Cue.GONE)


def test_every_state_leads_back_to_where_it_began() -> None:
    for start in (Floor.FREE, User.QUIET):
        rows = [(a, b) for (a, _), (b, _) in FLOOR.items()]
        moves: list[tuple[object, object]] = [*rows, *((a, b) for (a, _), b in USER.items())]
        for pairs in (moves, [(b, a) for a, b in moves]):  # from the start; to the start
            reached: set[object] = {start}
            while more := {b for a, b in pairs if a in reached} - reached:
                reached |= more
            assert reached >= set(type(start)) - {User.CLOSED}, "there is no way back from a close"


def test_the_agent_has_a_state_wherever_the_reply_is() -> None:
    assert set(AGENT_IS) == set(Floor)
