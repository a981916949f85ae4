"""A model that serves one session after another keeps none of those that have ended."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from antiphon import AgentTask, RunContext, function_tool
from antiphon.simulate import ScriptedVAD
from tests.scripted import Call, hold, sentence, user
from tests.scripted_tools import Caller, calls


class Asking(AgentTask[str], Caller):
    """Asks, and waits for an answer that never comes."""

    async def on_enter(self) -> None:
        self.session.say(sentence(500))


def held(vad: ScriptedVAD, until: float) -> weakref.ref[Any]:
    @function_tool
    async def asks(context: RunContext[Any]) -> str:
        """Asks in a task."""
        return await Asking(call=call, steps=[])  # type: ignore[call-arg]

    call = Call()
    hold(
        user(0.2, 1.0, sentence(0)),
        agent=lambda call: Caller(call, [[calls("asks")]], [asks]),
        call=call,
        until=until,
        vad=vad,
    )
    return weakref.ref(call.session)


@pytest.mark.parametrize("until", [1.0, 4.0, 9.0])
def test_a_session_that_closes_in_the_middle_of_a_task_is_not_kept_by_its_models(
    until: float,
) -> None:
    vad = ScriptedVAD(noticed=0.1, silent=0.3)
    session = held(vad, until)
    gc.collect()
    assert session() is None
