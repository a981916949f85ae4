"""What a realtime model that detects turns hears while its reply must not be interrupted."""

from __future__ import annotations

from typing import Any

import pytest
from livekit import rtc

from antiphon import Agent
from tests.scripted import Call, at, check, hold, sentence
from tests.scripted_producers import model_of
from tests.scripted_realtime import ScriptedRealtime

WORDS = [" ".join(sentence(100 * n) for n in range(4))]


def hear(samples: int) -> Any:
    """A frame of that length comes from the user."""
    frame = rtc.AudioFrame(bytes(2 * samples), 16_000, 1, samples)
    return lambda call: call.session.conversation.realtime.hear(frame)


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize("detects", [True, False])
def test_it_hears_after_a_protected_reply_what_was_said_over_it(
    detects: bool, protected: bool
) -> None:
    during: list[int] = []

    def ask(call: Call) -> None:
        call.session.generate_reply(allow_interruptions=not protected)

    def note(call: Call) -> None:
        assert call.session.agent_state == "speaking"
        during.extend(
            frame.samples_per_channel for frame in model_of(call.agent).sessions[0].frames
        )

    call = hold(
        at(0.1, hear(1)),
        at(0.2, ask),
        at(0.3, hear(2)),  # asked for, and not heard yet
        at(1.0, hear(3)),
        at(1.1, note),
        at(8.0, hear(4)),
        agent=lambda call: Agent(
            instructions="", llm=ScriptedRealtime(WORDS, call.voice, turn_detection=detects)
        ),
    )
    check(call)
    assert call.text("assistant") == WORDS[0].split()
    assert during == ([1] if protected and detects else [1, 2, 3])
    heard = [frame.samples_per_channel for frame in model_of(call.agent).sessions[0].frames]
    assert heard == [1, 2, 3, 4]
