"""What a node returned is closed when nobody reads it any more, whatever kind of iterator it is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.scripted import Call, Plain, at, hold, user


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
