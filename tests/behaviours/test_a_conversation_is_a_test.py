"""Promise 6: ten minutes of conversation on the virtual clock, the same every time."""

from __future__ import annotations

from livekit.agents import AgentStateChangedEvent

from tests.scripted import Act, Call, Making, check, hold, plain, user
from tests.scripted_models import modelled

MINUTES = 10
EACH = 30.0  # seconds: a question, an answer, a barge-in, an answer


def long_conversation(make: Making) -> Call:
    cues: list[Act] = []
    for n in range(round(MINUTES * 60 / EACH)):
        begin, vowels = n * EACH, "aeiou"
        a, b = vowels[n % 5], vowels[n // 5]
        cues += user(begin + 1.0, begin + 3.0, f"z{a}za z{b}ze{a}")
        cues += user(begin + 4.1 + 0.013 * n, begin + 6.0, f"m{a}ma{b} m{b}me{a} m{a}mi{b}")
    return hold(cues, agent=make, until=MINUTES * 60.0)


def lines(call: Call) -> list[str]:
    return [record.json() for record in call.session.timeline.records]


def test_ten_minutes_with_twenty_barge_ins_leave_the_same_timeline_byte_for_byte() -> None:
    first, again = long_conversation(plain), long_conversation(plain)
    check(first)
    assert len(first.records("cut")) == 20
    assert lines(first) == lines(again)
    assert [m.text_content for m in first.messages] == [m.text_content for m in again.messages]


def test_the_same_holds_of_models_on_livekits_base_classes() -> None:
    first, again = long_conversation(modelled), long_conversation(modelled)
    check(first)
    assert lines(first) == lines(again)


def test_every_barge_in_says_how_long_it_took_to_be_silent() -> None:
    call = long_conversation(plain)
    stopped = call.records("stopped")
    assert len(stopped) == 20
    # from the voice: min_duration; from its detection: what of that was left
    assert {round(r.detail["voice"], 6) for r in stopped} == {0.2}  # type: ignore[call-overload]
    assert {round(r.detail["detection"], 6) for r in stopped} == {0.14}  # type: ignore[call-overload]


def test_history_is_in_the_order_of_time() -> None:
    call = long_conversation(plain)
    times = [message.created_at for message in call.messages]
    assert times == sorted(times)


def test_the_agent_is_never_thinking_for_ever() -> None:
    call = long_conversation(plain)
    changes = list(call.reported("agent_state_changed"))
    assert all(isinstance(change, AgentStateChangedEvent) for change in changes)
    assert changes[-1].new_state == "listening"
