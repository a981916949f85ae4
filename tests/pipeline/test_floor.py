"""One reply has the floor, the others stand in line, whoever leaves and whenever."""

import random

from antiphon.pipeline.floor import Line, Ticket
from antiphon.pipeline.observations import Gone, Granted, Kind, Observation


class Told:
    """A line that tells a list."""

    def __init__(self) -> None:
        self.seen: list[Observation] = []
        self.line = Line(self.seen.append)

    def take(self, kind: Kind = Kind.SPEECH) -> Ticket:
        ticket = self.line.take(kind)
        self.line.advance()
        return ticket


async def test_the_floor_goes_round_in_the_order_in_which_places_were_taken() -> None:
    told = Told()
    first, second, third = told.take(Kind.ANSWER), told.take(), told.take(Kind.PROTECTED)
    assert [t.turn.done() for t in (first, second, third)] == [True, False, False]
    told.line.leave(first)
    told.line.leave(second)
    told.line.leave(third)
    assert told.seen == [
        *(Granted(1, Kind.ANSWER), Gone(1), Granted(2, Kind.SPEECH), Gone(2)),
        *(Granted(3, Kind.PROTECTED), Gone(3)),
    ]
    assert told.line.holder is None


async def test_nothing_is_granted_before_the_line_advances() -> None:
    told = Told()
    ticket = told.line.take(Kind.ANSWER)
    assert (told.seen, ticket.turn.done(), len(told.line)) == ([], False, 1)


async def test_a_place_in_line_is_given_up_without_a_word() -> None:
    told = Told()
    first, second, third = told.take(), told.take(), told.take()
    told.line.leave(second)
    told.line.leave(second)
    told.line.leave(first)
    told.line.leave(first)
    assert told.line.holder is third
    assert told.seen == [Granted(1, Kind.SPEECH), Gone(1), Granted(3, Kind.SPEECH)]


async def test_a_place_is_granted_as_the_kind_it_has_by_then() -> None:
    told = Told()
    first, _ = told.take(), told.take()
    told.line.rename(1, Kind.PROTECTED)
    told.line.rename(2, Kind.PROTECTED)
    told.line.leave(first)
    assert told.seen[-1] == Granted(2, Kind.PROTECTED)
    assert first.kind is Kind.SPEECH, "the holder's kind is the turn machine's matter"


async def test_a_reply_whose_wait_was_cancelled_still_gets_and_leaves_the_floor() -> None:
    told = Told()
    first, second = told.take(), told.take()
    second.turn.cancel()
    told.line.leave(first)
    told.line.leave(second)
    assert told.seen[-2:] == [Granted(2, Kind.SPEECH), Gone(2)]


async def test_a_reply_that_leaves_at_its_own_grant_lets_the_next_one_in() -> None:
    seen: list[Observation] = []
    tickets: list[Ticket] = []

    def observe(what: Observation) -> None:
        seen.append(what)
        if isinstance(what, Granted) and what.gen < 3:
            line.leave(tickets[what.gen - 1])

    line = Line(observe)
    tickets += [line.take(Kind.ANSWER) for _ in range(3)]
    line.advance()
    assert [what.gen for what in seen if isinstance(what, Granted)] == [1, 2, 3]
    assert line.holder is tickets[2]


async def test_at_most_one_reply_has_the_floor_and_none_is_granted_twice() -> None:
    for seed in range(200):
        dice, told = random.Random(seed), Told()
        tickets: list[Ticket] = []
        for _ in range(60):
            if dice.random() < 0.5:
                tickets.append(told.take(dice.choice(list(Kind))))
            elif tickets:
                told.line.leave(dice.choice(tickets))
        for ticket in tickets:
            told.line.leave(ticket)
        granted = [what.gen for what in told.seen if isinstance(what, Granted)]
        assert granted == sorted(set(granted))
        assert [type(what) for what in told.seen] == [Granted, Gone] * len(granted)
        assert (told.line.holder, len(told.line)) == (None, 0)
