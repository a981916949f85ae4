"""A model that ends the call: its goodbye is heard, and then nobody is there."""

from __future__ import annotations

import pytest

from antiphon import Agent
from antiphon.beta import EndCallTool
from antiphon.simulate import calling, calls, says


@pytest.mark.parametrize("farewell", ["say goodbye to the user", None])
async def test_a_model_ends_the_call_once_its_goodbye_was_heard(farewell: str | None) -> None:
    tool = EndCallTool(extra_description="Only after a goodbye.", end_instructions=farewell)
    agent = Agent(instructions="Take calls.", tools=[tool])
    async with calling(agent, llm=[calls("end_call"), "Goodbye, and thank you."]) as call:
        reasons: list[str] = []
        call.session.on("close", lambda event: reasons.append(event.reason.value))
        await call.play(says("That is all, bye"))
        await call.finish()
        assert call.over
    assert call.said("agent") == (["Goodbye, and thank you."] if farewell else [])
    assert reasons == ["user_initiated"]
