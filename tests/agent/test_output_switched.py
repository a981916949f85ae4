"""The agent's voice taken away and given back while the session runs."""

from __future__ import annotations

import asyncio

import pytest

from tests.agent.test_session_nodes import Foreign, words_of
from tests.scripted import Call, at, hold


def _enable(call: Call, on: bool) -> None:
    call.session.output.set_audio_enabled(on)


@pytest.mark.parametrize("foreign", [False, True])
def test_an_agent_whose_voice_is_switched_off_is_read_and_not_heard(foreign: bool) -> None:
    sinks: list[Foreign] = []

    def put(call: Call) -> None:
        if foreign:
            sinks.append(Foreign(0.0))
            call.session.output.audio = sinks[0]

    def heard(call: Call) -> list[str]:
        return words_of(call, sinks[0].heard) if foreign else call.heard

    call = hold(
        at(0.1, put),
        at(0.2, lambda call: _enable(call, False)),
        at(0.5, lambda call: call.say("zaza zeze.")),
        at(4.0, lambda call: _enable(call, True)),
        at(4.5, lambda call: call.say("zizi.")),
        until=8.0,
    )
    assert call.text("assistant") == ["zaza", "zeze.", "zizi."]
    assert heard(call) == ["zizi."]


def test_an_output_that_is_taken_away_and_given_back_is_written_by_one_task() -> None:
    tasks: list[str] = []
    sinks: list[Foreign] = []

    def put(call: Call) -> None:
        sinks.append(sinks[0] if sinks else Foreign(0.0))
        call.session.output.audio = sinks[0]

    def take(call: Call) -> None:
        call.session.output.audio = None

    def count(_: Call) -> None:
        names = [task.get_name() for task in asyncio.all_tasks()]
        tasks.extend(name for name in names if name.endswith("/output"))

    acts = [[at(0.1 + n * 0.2, put), at(0.2 + n * 0.2, take)] for n in range(4)]
    call = hold(
        *(act for pair in acts for act in pair),
        at(1.0, put),
        at(1.1, lambda call: call.say("zaza zeze.")),
        at(6.0, count),
        until=7.0,
    )
    assert len(tasks) == 1
    assert call.text("assistant") == ["zaza", "zeze."]
