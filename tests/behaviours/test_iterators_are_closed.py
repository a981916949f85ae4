"""What a node returned is closed when nobody reads it any more, whatever kind of iterator it is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import Agent
from antiphon.simulate import ScriptedTTS, interrupts, leaves, says, simulate
from tests.scripted import Call, Plain, at, hold, user

STORY = "Well, this is the story of a king who had three dogs. " + " ".join(
    f"Here comes sentence number {number} of it, which is rather long." for number in range(12)
)


class Endless:
    """Gives nothing, and can be closed, as a model's stream can; it is no generator."""

    def __init__(self) -> None:
        self.closed: list[float] = []

    def __aiter__(self) -> Endless:
        return self

    async def __anext__(self) -> str:
        await asyncio.sleep(1000.0)
        return ""

    async def aclose(self) -> None:
        self.closed.append(asyncio.get_running_loop().time())


@pytest.mark.parametrize(
    ("node", "ends"), [("llm_node", 4.0), ("tts_node", 4.0), ("stt_node", 6.0)]
)
def test_an_iterator_that_is_no_generator_is_closed_when_its_reader_is_cut(
    node: str, ends: float
) -> None:
    endless = Endless()

    def agent(call: Call) -> Plain:
        def returned(*_: Any) -> Endless:
            return endless

        kind: type[Plain] = type("Returning", (Plain,), {node: returned})
        return kind(call.caller, call.voice)

    hold(
        at(0.0, lambda call: call.session.generate_reply()),
        user(0.2, 0.8, "zaza zeze"),
        at(4.0, lambda call: call.session.interrupt()),
        until=6.0,
        agent=agent,
    )
    assert ends in endless.closed


def documented_override(node: str) -> type[Agent]:
    """The way in which LiveKit documents how to override a node."""

    async def overridden(self: Agent, *given: Any) -> Any:
        async for item in getattr(Agent.default, node)(self, *given):
            yield item

    return type("Overriding", (Agent,), {node: overridden})


@pytest.mark.parametrize("into", [0.3, 2.0])
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("node", ["stt_node", "llm_node", "tts_node", "transcription_node"])
def test_a_default_node_inside_an_override_is_closed_with_it(
    node: str, streaming: bool, into: float
) -> None:
    call = simulate(
        documented_override(node)(instructions=""),
        [says("tell me more"), interrupts("stop that now please", into=into)],
        llm=[STORY, "Okay."],
        tts=ScriptedTTS(streaming=streaming, speed=20),
    )
    assert call.said("agent")[-1] == "Okay."


@pytest.mark.parametrize("streaming", [False, True])
def test_hanging_up_in_the_middle_of_a_reply_breaks_nothing_off(streaming: bool) -> None:
    for moment in range(20):
        call = simulate(
            Agent(instructions=""),
            [says("tell me more"), leaves(at=2.0 + 0.35 * moment)],
            llm=[STORY],
            tts=ScriptedTTS(streaming=streaming, speed=8),
        )
        assert len(call.said("user")) == 1
