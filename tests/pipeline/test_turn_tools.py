"""The floor while tools run: nobody has it, the agent is thinking, and anybody may take it."""

from antiphon.pipeline.observations import (
    Audible,
    Commit,
    Cut,
    Draft,
    Gone,
    Interrupt,
    Keep,
    Kind,
    Pause,
    VoiceStarted,
    Working,
)
from antiphon.pipeline.turn_table import Floor, User
from tests.pipeline.turning import Call


def working() -> Call:
    """A reply was heard, has left the floor at 1.0, and its tools run."""
    return Call(reply=Kind.ANSWER).at(0.0, Audible(1)).at(1.0, Working(1), Gone(1))


def test_the_agent_is_thinking_while_tools_run() -> None:
    call = working()
    assert call.machine.floor is Floor.WORKING
    assert [state for _, state in call.states] == ["thinking", "speaking", "thinking"]


def test_the_agent_listens_when_the_tools_ask_for_no_reply() -> None:
    call = working().at(2.0, Working(0))
    assert call.machine.floor is Floor.FREE
    assert call.states[-1] == (2.0, "listening")


def test_a_reply_whose_tools_run_from_the_start_is_thinking_too() -> None:
    call = Call().at(1.0, Working(1))
    assert call.machine.floor is Floor.WORKING
    assert call.states == [(1.0, "thinking")]


def test_the_next_step_takes_the_floor_without_a_flicker_of_the_state() -> None:
    call = working()
    call.now = 2.0
    call.grant(Kind.ANSWER)
    call.at(2.0, Working(0)).at(2.5, Audible(2))
    assert [state for _, state in call.states] == [
        *("thinking", "speaking", "thinking", "speaking")
    ]


def test_the_next_step_is_held_while_the_user_speaks() -> None:
    call = working().at(1.5, VoiceStarted(1.5))
    call.grant(Kind.ANSWER)
    assert call.machine.floor is Floor.STAYED
    assert call.decisions == [Pause(2)]


def test_a_protected_speech_may_be_heard_while_tools_run() -> None:
    call = working()
    call.grant(Kind.PROTECTED, audible=True)
    floors = [call.machine.floor, call.at(3.0, Gone(2)).machine.floor]
    assert floors == [Floor.PROTECTED, Floor.WORKING]
    assert call.states[-1] == (3.0, "thinking")


def test_a_speech_that_is_cut_while_tools_run_leaves_the_agent_thinking() -> None:
    call = working()
    call.grant(Kind.SPEECH, audible=True)
    call.at(2.0, Interrupt())
    assert call.decisions == [Cut(2, "application")]
    assert call.machine.floor is Floor.WORKING


def test_an_acknowledgement_while_tools_run_is_kept_and_not_answered() -> None:
    call = working().voice(1.5, 2.0).words(2.1, "Mm-hmm.").at(9.0)
    assert call.decisions == [Keep("Mm-hmm.", "en")]
    assert call.machine.user is User.QUIET


def test_a_question_while_tools_run_is_committed_but_no_answer_is_prepared() -> None:
    call = working().voice(1.5, 2.0).words(2.1, "And on Sunday?").at(9.0)
    assert call.decisions == [Commit("And on Sunday?", False, True, "en")]
    assert not call.of(Draft)
