"""Whose turn it is where a realtime model hears the user, and where in the history its words go."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
from livekit.agents import llm

from antiphon.realtime_turns import HeardTurns
from tests.scripted import Plain, at, check, hold, user
from tests.scripted_producers import its_turns, model_of, our_turns, told

if TYPE_CHECKING:
    from antiphon import Agent
    from tests.scripted import Call, Making

BOTH = pytest.mark.parametrize("agent", [its_turns, our_turns])
ASKED = user(0.2, 0.8, "zaza zeze")


def late(agent: Making, seconds: float) -> Making:
    """The model tells the words so much later."""

    def make(call: Call) -> Agent:
        made = agent(call)
        model_of(made).pace.transcribed = seconds
        return made

    return make


@BOTH
def test_a_turn_goes_on_for_as_long_as_the_user_speaks(agent: Making) -> None:
    call = hold(user(0.2, 12.0, "zaza zeze zizi zozo"), agent=agent)
    check(call)
    states = [(e.new_state, e.created_at) for e in call.reported("user_state_changed")]
    assert [state for state, _ in states] == ["speaking", "listening"]
    assert states[1][1] - states[0][1] > 11.5
    assert [m.role for m in call.messages] == ["user", "assistant"]


def test_the_application_ends_a_turn_that_the_model_would_end_later() -> None:
    def ends(call: Call) -> None:
        call.session.commit_user_turn()

    call = hold(ASKED, at(1.0, ends), user(6.0, 6.6, "zizi"), agent=its_turns)
    check(call)
    assert len(told(call, "commit")) == len(told(call, "reply")) == 1
    assert [m.role for m in call.messages] == ["user", "assistant"] * 2
    assert call.played[0][0] < 1.0 + 0.15 + 0.1 + 0.1  # from then on, and not from its own end


def test_a_turn_that_the_application_forgets_is_forgotten_by_a_model_that_ends_turns() -> None:
    call = hold(
        user(0.2, 2.0, "zaza zeze"),
        at(1.0, lambda call: call.session.clear_user_turn()),
        agent=its_turns,
        until=1.5,
    )
    assert told(call, "clear")
    states = [e.new_state for e in call.reported("user_state_changed")]
    assert states == ["speaking", "listening"]


def tells(text: str, call: Call) -> None:
    """The model tells the words of the last turn, again."""
    session = model_of(call.agent).sessions[-1]
    item = next(m.id for m in reversed(call.messages) if m.role == "user")
    event = llm.InputTranscriptionCompleted(item_id=item, transcript=text, is_final=True)
    session.emit("input_audio_transcription_completed", event)


@BOTH
def test_words_that_are_told_twice_are_in_the_history_once(agent: Making) -> None:
    again = at(3.0, partial(tells, "zaza zeze"))
    call = hold(ASKED, again, user(6.0, 6.6, "zizi"), agent=agent)
    check(call)
    more = hold(ASKED, again, at(3.5, partial(tells, "zaza zeze zizi")), agent=agent)
    assert [m.text_content for m in more.messages if m.role == "user"] == ["zaza zeze zizi"]
    finals = [e for e in more.reported("user_input_transcribed") if e.is_final]
    assert {event.item_id for event in finals} == {more.messages[0].id}


@BOTH
def test_a_program_is_told_of_words_when_the_model_tells_them(agent: Making) -> None:
    told_at: list[tuple[float, bool]] = []

    def listen(call: Call) -> None:
        now = asyncio.get_running_loop().time
        call.session.on(
            "user_input_transcribed", lambda event: told_at.append((now(), event.is_final))
        )

    hold(at(0.0, listen), ASKED, agent=agent, until=3.0)
    assert [moment for moment, _ in told_at] == pytest.approx([0.55, 0.85, 1.05])
    assert [final for _, final in told_at] == [False, False, True]


def test_words_told_in_pieces_are_all_in_the_history() -> None:
    call = hold(ASKED, at(3.5, partial(tells, "zizi")), agent=its_turns)
    assert call.text("user") == ["zaza", "zeze", "zizi"]


@BOTH
def test_words_that_the_model_owes_when_the_call_ends_are_kept(agent: Making) -> None:
    for moment in [1.15 + 0.1 * n for n in range(12)]:
        call = hold(ASKED, agent=late(agent, 1.2), until=moment)
        check(call)
        assert call.text("user") == ["zaza", "zeze"]


@BOTH
def test_words_that_a_model_owes_when_another_agent_takes_over_are_kept(agent: Making) -> None:
    def hand_over(call: Call) -> None:
        call.session.interrupt()
        call.session.update_agent(Plain(call.caller, call.voice))

    first: list[Agent] = []

    def make(call: Call) -> Agent:
        first.append(late(agent, 1.5)(call))
        return first[0]

    call = hold(ASKED, at(1.6, hand_over), agent=make, until=6.0)
    check(call)
    assert call.text("user") == ["zaza", "zeze"]
    assert [session.closed for session in model_of(first[0]).sessions] == [True]


@BOTH
@pytest.mark.parametrize("other", ["pipeline", "realtime"])
def test_a_close_at_any_moment_after_a_handover_keeps_the_words_of_who_has_left(
    agent: Making, other: str
) -> None:
    """Told by it after it has left, before the close or in the time the close gives."""

    def hand_over(call: Call) -> None:
        call.session.update_agent(
            agent(call) if other == "realtime" else Plain(call.caller, call.voice)
        )

    for moment in [0.7, 1.2]:
        for until in [moment + 0.05 + 0.1 * n for n in range(12)]:
            call = hold(
                user(0.2, 1.1, "zaza zeze", final=0.7),
                at(moment, hand_over),
                agent=late(agent, 0.3),
                until=until,
            )
            assert set(call.text("user")) == set(call.caller.words), (moment, until)
            assert not call.strays


@BOTH
@pytest.mark.parametrize("back", [False, True])
def test_a_handover_at_any_moment_of_a_turn_leaves_nobody_speaking(
    agent: Making, back: bool
) -> None:
    for moment in [0.1 + 0.1 * n for n in range(18)]:

        def hand_over(call: Call) -> None:
            other = agent(call) if back else Plain(call.caller, call.voice)
            call.session.update_agent(other)

        first = agent if not back else lambda call: Plain(call.caller, call.voice)
        call = hold(
            user(0.2, 1.2, "zaza zeze"), at(moment, hand_over), user(6.0, 6.6, "zizi"), agent=first
        )
        states = [e.new_state for e in call.reported("user_state_changed")]
        assert states[-1] == "listening", moment
        assert call.text("assistant") == call.heard, moment
        assert set(call.text("user")) == set(call.caller.words), (
            moment
        )  # perhaps by both, and twice
        assert call.messages[-1].role == "assistant", moment
        assert not call.messages[-1].interrupted, moment
        assert not call.reported("error"), moment


@BOTH
def test_a_turn_that_is_not_over_is_answered_by_the_agent_that_takes_over(agent: Making) -> None:
    def hand_over(call: Call) -> None:
        call.session.update_agent(Plain(call.caller, call.voice))

    for moment in [1.06 + 0.03 * n for n in range(5)]:
        call = hold(ASKED, at(moment, hand_over), agent=late(agent, 0.4))
        check(call)
        assert [m.role for m in call.messages] == ["user", "assistant"], moment


def test_a_reply_asked_for_while_the_user_speaks_to_a_model_that_ends_turns_is_said() -> None:
    for moment in [0.1 + 0.1 * n for n in range(14)]:
        call = hold(
            ASKED,
            at(moment, lambda call: call.handles.append(call.session.generate_reply())),
            user(8.0, 8.6, "zizi"),
            agent=its_turns,
        )
        check(call)
        assert not [m for m in call.messages if m.interrupted], moment
        assert [m.role for m in call.messages].count("assistant") == 3, moment


def test_a_voice_that_a_lost_connection_told_of_does_not_go_on_for_ever() -> None:
    def loses(call: Call) -> None:
        session = model_of(call.agent).sessions[-1]
        session.lose()
        session.emit("session_reconnected", llm.RealtimeSessionReconnectedEvent())
        call.handles.append(call.session.generate_reply())

    call = hold(ASKED, at(0.6, loses), user(9.0, 9.6, "zizi"), agent=its_turns)
    check(call)
    states = [e.new_state for e in call.reported("user_state_changed")]
    assert states == ["speaking", "listening"] * 2
    assert [m.role for m in call.messages] == ["user", "assistant"] * 2


def test_words_of_a_turn_ended_by_hand_stand_before_its_answer() -> None:
    call = hold(
        ASKED,
        at(1.2, lambda call: call.session.commit_user_turn()),
        agent=late(our_turns, 3.0),
        vad=None,
        turn_handling={"turn_detection": "manual"},
        until=8.0,
    )
    check(call)
    assert [m.role for m in call.messages] == ["user", "assistant"]


def test_a_turn_that_the_model_hears_as_two_takes_no_words_of_the_next_one() -> None:
    turns = HeardTurns()
    turns.voice(0.0, each=True)
    turns.named("a", 1.0)
    turns.voice(1.5, each=True)  # and before the turn is over
    turns.named("b", 2.0)
    turns.over(2.5)
    turns.voice(4.0, each=True)
    assert turns.worded("a") == 0.0
    assert turns.worded("b") == 0.0
    assert turns.owes(4.5)
    assert turns.worded("c") == 4.0


def test_words_are_owed_for_each_voice_of_a_turn() -> None:
    turns = HeardTurns()
    turns.voice(0.0, each=True)
    turns.worded(None)
    assert not turns.owes(1.0)
    turns.voice(1.2, each=True)
    turns.voice(1.4, each=True)
    turns.worded(None)
    assert turns.owes(1.5)
    turns.worded(None)
    assert not turns.owes(1.6)


def test_a_model_that_is_told_when_a_turn_is_over_tells_all_of_it_then() -> None:
    turns = HeardTurns()
    turns.voice(0.0, each=False)
    turns.voice(1.2, each=False)
    turns.voice(2.4, each=False)
    turns.worded(None)
    assert turns.owes(2.5), "it may tell some before"
    turns.over(3.0)
    turns.worded(None)
    assert not turns.owes(3.5)


def test_a_turn_of_which_a_model_makes_nothing_takes_no_other_turns_name() -> None:
    turns = HeardTurns()
    turns.voice(0.0, each=True)
    turns.over(1.0)
    turns.voice(20.0, each=True)
    turns.over(21.0)
    turns.named("b", 21.1)
    assert turns.worded("b") == 20.0
