"""A voice that fails on the words before a tool call takes nothing else with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from antiphon import Agent, function_tool
from antiphon.simulate import Calls, pauses, says, simulate

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

FRAMES = 4  # of the voice, which hold a word
PREAMBLE = "Let me have a look at that for you."


class Hoarse(Agent):
    """The voice fails on its first text, after `heard` frames of it."""

    def __init__(self, heard: int) -> None:
        super().__init__(instructions="")
        self.heard: int | None = heard
        self.ran: list[str] = []

    @function_tool
    async def weather(self) -> str:
        """The weather."""
        self.ran.append("weather")
        return "rain"

    @function_tool(effect="irrevocable")
    async def pay(self) -> str:
        """Pay."""
        self.ran.append("pay")
        return "paid"

    async def tts_node(self, text: AsyncIterable[str], model_settings: Any) -> Any:
        left, self.heard = self.heard, None
        frames = Agent.default.tts_node(self, text, model_settings)
        async for frame in frames:
            if left == 0:
                raise OSError("the voice is gone")
            yield frame
            left = None if left is None else left - 1


@pytest.mark.parametrize("heard", range(FRAMES + 1))
def test_the_answer_to_a_tool_is_heard_although_the_voice_failed_on_the_words_before_it(
    heard: int,
) -> None:
    replies: list[Any] = [Calls(PREAMBLE).and_calls("weather"), "It will rain."]
    agent = Hoarse(heard)
    call = simulate(agent, [says("the weather"), pauses(3)], llm=replies, allow_errors=True)
    said = " ".join(call.said("agent"))
    assert said.endswith("It will rain.")
    assert PREAMBLE.startswith(said.removesuffix("It will rain.").strip())
    assert said.startswith("Let") == (heard == FRAMES)
    assert agent.ran == ["weather"]
    [error] = call.reported("error")
    assert error.error.type == "tts_error"
    cut_short = [m.interrupted for m in call.messages if m.role == "assistant"]
    assert cut_short == [True, False][-len(cut_short) :]


def test_what_was_to_be_announced_first_is_not_done_when_nobody_could_hear_it() -> None:
    replies: list[Any] = [Calls(PREAMBLE).and_calls("weather").and_calls("pay"), "It will rain."]
    agent = Hoarse(1)
    call = simulate(agent, [says("pay please"), pauses(3)], llm=replies, allow_errors=True)
    assert agent.ran == ["weather"]
    assert call.said("agent")[-1] == "It will rain."
    assert len(call.reported("error")) == 1
