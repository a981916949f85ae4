"""A turn that the application ends while the user still speaks is answered when they stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import agents as livekit

import antiphon
from tests.agent.side_by_side import Case
from tests.agent.side_by_side import held as beside
from tests.scripted import SILENT, Act, Call, at, check, hold

if TYPE_CHECKING:
    from tests.agent.side_by_side import Told

STOPS = 3.4  # seconds of the call: the user's last voice
SPEAKS_ON = [
    *at(0.3, lambda call: call.caller.starts()),
    *at(1.0, lambda call: call.caller.says("zaza zeze", final=True)),
    *at(1.2, lambda call: call.session.commit_user_turn(transcript_timeout=0.1)),
    *at(STOPS + SILENT, lambda call: call.caller.stops(SILENT)),
]
MORE = at(2.0, lambda call: call.caller.says("zizi", final=True))


def held(acts: list[Act], detection: str | None = None) -> Call:
    turns: Any = {"turn_detection": detection}
    call = hold(acts, turn_handling=turns)
    check(call)
    return call


@pytest.mark.parametrize(
    ("detection", "begins"), [(None, STOPS + 0.5), ("vad", STOPS + 0.5), ("manual", STOPS + SILENT)]
)
def test_the_answer_begins_when_the_user_has_finished(detection: str | None, begins: float) -> None:
    call = held(SPEAKS_ON, detection)
    assert [m.role for m in call.messages] == ["user", "assistant"]
    assert call.played[0][0] == pytest.approx(begins)


def test_what_the_user_still_says_is_answered_too_and_by_one_answer() -> None:
    call = held(SPEAKS_ON + MORE)
    said = [(m.role, m.text_content) for m in call.messages]
    assert said[:2] == [("user", "zaza zeze"), ("user", "zizi")]
    assert [role for role, _ in said[2:]] == ["assistant"]
    assert call.played[0][0] >= STOPS


def test_a_speech_of_the_applications_waits_for_them_too() -> None:
    call = held(SPEAKS_ON[:-1] + at(1.5, lambda call: call.say("Later.")) + SPEAKS_ON[-1:])
    assert call.played[0][0] >= STOPS


@pytest.mark.parametrize("kit", [livekit, antiphon])
@pytest.mark.parametrize("detection", ["vad", "manual"])
def test_as_in_livekit_the_agent_is_silent_until_then(
    kit: Any, detection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def commits(kit: Any, session: Any, told: Told) -> None:
        await asyncio.sleep(3.0)
        session.commit_user_turn(transcript_timeout=0.2)

    said, answers = ((0.5, 4.5, "hey there"),), dict.fromkeys(("hey", "there", "hey there"), "Yes.")
    case = Case(said, answers, does=commits, turns={"turn_detection": detection})
    lines = beside(kit, case, monkeypatch)
    assert min(at for at, line in lines if line == "agent speaking") > 4.5
