"""Turns that the application ends: what becomes of the answer while the user still speaks."""

from antiphon.pipeline.observations import (
    CommitNow,
    Kind,
    Pause,
    Resume,
    VoiceStarted,
    VoiceStopped,
)
from antiphon.pipeline.turn_table import Rules
from tests.pipeline.turning import Call

HAND = Rules(manual=True)


def test_a_reply_never_begins_over_the_user_also_where_turns_are_ended_by_hand() -> None:
    for rules, since in ((HAND, 2.25), (Rules(), 2.5)):
        call = Call(rules).at(1.0, VoiceStarted(1.0)).words(1.5, "one").at(1.75, CommitNow())
        call.grant(Kind.ANSWER)
        call.at(2.25, VoiceStopped(2.0)).at(9.0)
        held = [(at, one) for at, one in call.said if isinstance(one, Pause | Resume)]
        assert held == [(1.75, Pause(1)), (since, Resume(1))]
    call = Call(HAND).at(1.0, VoiceStarted(1.0))
    call.grant(Kind.ANSWER)
    assert call.at(9.0).said == [(1.0, Pause(1)), (4.0, Resume(1))], "noise holds it no longer"
